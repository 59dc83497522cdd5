-- A carrier interconnect: who may send calls, how many, and by which carrier each number is reached at the least cost.
--
--   address.list   who may send calls: group 1, the tag is the name of the account
--   carriers.list  gateways, and for each prefix of numbers those that reach it, the cheapest first
--
-- `perdure rpc lcr.reload` reads the carriers again while calls go on. A call that fails goes to the next gateway; those that it may still try
-- stand in AVPs of the call, so neither a restart nor another list changes them. A gateway that does not answer gets no calls for a while.

local CUSTOMERS = 1           -- group of address.list
local CARRIERS = 1            -- instance of carriers.list
local PENALTY = 30            -- seconds without calls for a gateway that is silent
local LONGEST_PREFIX = 15     -- digits of E.164
local CALLS_PER_INTERVAL = 100 -- of one account, in the interval of [pipelimit]; htable "limits" has exceptions

local function answer(code, reason)
  KSR.sl.send_reply(code, reason)
  KSR.x.exit()
end

local function relay()
  if KSR.tm.t_relay() < 0 then
    KSR.sl.sl_reply_error()
  end
  KSR.x.exit()
end

local function within_dialog()
  if KSR.siputils.has_totag() < 0 then return end
  if KSR.rr.loose_route() > 0 then relay() end
  if KSR.is_ACK() then
    if KSR.tm.t_check_trans() > 0 then relay() end
    KSR.x.exit()
  end
  answer(404, "Not Here")
end

-- The number in digits with its country code: +49 30 1, 0049 30 1 and 49 30 1 are the same. nil: it is no number.
local function e164(user)
  local digits = user:gsub("^%+", ""):gsub("^00", ""):gsub("[%-%.%(%)]", "")
  if digits:match("^%d+$") and #digits >= 3 and #digits <= LONGEST_PREFIX then return digits end
  return nil
end

function ksr_request_route()
  if KSR.maxfwd.process_maxfwd(10) < 0 then answer(483, "Too Many Hops") end
  -- Answers 400, 416 or 420 itself.
  if KSR.sanity.sanity_check(17895, 7) < 0 then KSR.x.exit() end
  if KSR.is_CANCEL() then relay() end
  within_dialog()
  if KSR.is_ACK() then KSR.x.exit() end

  -- Probes of the carriers' own servers.
  if KSR.is_OPTIONS() and KSR.is_myself_ruri() then answer(200, "OK") end

  -- Who is it? The tag of the address list goes to $avp(account). Strangers get no answer that they could measure us by.
  if KSR.permissions.allow_source_address(CUSTOMERS) < 0 then
    KSR.counters.inc("strangers")
    if KSR.pike.pike_check_req() < 0 then KSR.x.exit() end
    answer(403, "Forbidden")
  end
  if not KSR.is_INVITE() then answer(405, "Method Not Allowed") end

  local account = tostring(KSR.pv.getw("$avp(account)"))
  local limit = KSR.htable.sht_get("limits", account) or CALLS_PER_INTERVAL
  if KSR.pipelimit.pl_check_limit("account-" .. account, "TAILDROP", tonumber(limit)) < 0 then
    KSR.counters.inc("over_limit")
    KSR.hdr.append_to_reply("Retry-After: 5\r\n")
    answer(503, "Too Many Calls")
  end

  local digits = e164(KSR.kx.gete_ruser())
  if not digits then answer(484, "Address Incomplete") end

  KSR.hdr.remove("Route")
  KSR.rr.record_route()
  KSR.setuser(digits)
  -- No gateway, or none that works.
  if KSR.lcr.load_gws_furi(CARRIERS, digits, KSR.pv.gete("$fu")) ~= 1 or KSR.lcr.next_gw() < 0 then answer(404, "No Route") end
  KSR.tm.t_on_failure("next_gateway")
  KSR.tm.t_on_branch("to_carrier")
  relay()
end

-- What leaves to a carrier: nothing of ours that is not its business.
function to_carrier()
  KSR.hdr.remove("P-Asserted-Identity")
  KSR.hdr.append("X-Account: " .. KSR.pv.getw("$avp(account)") .. "\r\n")
end

function next_gateway()
  if KSR.tm.t_is_canceled() > 0 then return end
  local silent = KSR.tm.t_branch_timeout() > 0 and KSR.tm.t_branch_replied() < 0
  if silent then KSR.lcr.defunct_gw(PENALTY) end
  -- An answer of the callee (busy, declined, unknown number) ends the search.
  if KSR.tm.t_check_status("^(408|5[0-9][0-9])$") < 0 then return end
  if KSR.lcr.next_gw() > 0 then
    KSR.counters.inc("failovers")
    KSR.tm.t_on_failure("next_gateway")
    KSR.tm.t_on_branch("to_carrier")
    KSR.tm.t_relay()
  end
end
