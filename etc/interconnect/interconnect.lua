-- A carrier interconnect: who may send calls, how many, and by which carrier each number is reached at the least cost.
--
--   address.list     who may send calls: group 1, the tag is the name of the account
--   routes.list      prefix of the number -> the sets of carriers that serve it, the cheapest first
--   dispatcher.list  the sets: the gateways of each carrier
--
-- The routes are a persistent hash table: `perdure rpc htable.sets routes 4930 12` changes one while calls go on, and a restart keeps it.
-- A call that fails goes to the next gateway of the carrier, then to the next carrier. Which have been tried stands in AVPs of the call, so
-- that a restart between two attempts changes nothing.

local CUSTOMERS = 1           -- group of address.list
local BY_WEIGHT = 9           -- algorithm of the dispatcher
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

-- The value of the longest prefix of `digits` in the table of routes.
local function carriers_of(digits)
  for length = #digits, 1, -1 do
    local sets = KSR.htable.sht_get("routes", digits:sub(1, length))
    if sets then return tostring(sets) end
  end
  return nil
end

-- The first gateway of the next carrier in $avp(carriers) that has one in service; false: there is none.
local function next_carrier()
  local carriers = tostring(KSR.pv.gete("$avp(carriers)"))
  while carriers ~= "" do
    local set, rest = carriers:match("^(%d+),?(.*)$")
    if not set then
      KSR.err("routes: '" .. carriers .. "' are no sets")
      return false
    end
    carriers = rest
    KSR.pv.sets("$(avp(carriers)[*])", carriers)
    if KSR.dispatcher.ds_select_dst(tonumber(set), BY_WEIGHT) > 0 then
      KSR.pv.seti("$(avp(carrier)[*])", tonumber(set))
      return true
    end
    KSR.warn("carrier " .. set .. " is out of service")
  end
  return false
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
  local carriers = carriers_of(digits)
  if not carriers then answer(404, "No Route") end

  KSR.hdr.remove("Route")
  KSR.rr.record_route()
  KSR.setuser(digits)
  KSR.pv.sets("$avp(carriers)", carriers)
  if not next_carrier() then
    KSR.hdr.append_to_reply("Retry-After: 30\r\n")
    answer(503, "No Carrier")
  end
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
  if silent then KSR.dispatcher.ds_mark_dst("ip") end
  -- An answer of the callee (busy, declined, unknown number) ends the search.
  if KSR.tm.t_check_status("^(408|5[0-9][0-9])$") < 0 then return end
  if KSR.dispatcher.ds_next_dst() > 0 or next_carrier() then
    KSR.counters.inc("failovers")
    KSR.tm.t_on_failure("next_gateway")
    KSR.tm.t_on_branch("to_carrier")
    KSR.tm.t_relay()
  end
end
