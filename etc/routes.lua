-- A load balancer for a set of gateways, to start from. docs/script.md describes every function.
--
-- Calls go to the gateways of set 1 in dispatcher.list, in turn. When one does not answer, or answers with a server error, the call goes to
-- the next; a gateway that times out is taken out of service until it answers probes again.
--
-- The functions without "local" are called by the server: ksr_request_route for every new request, ksr_reply_route for every reply, and
-- those that are armed by name. An armed name stays with the call over restarts and reloads, so keep such a function as long as calls may
-- need it.

local GATEWAYS = 1       -- set in dispatcher.list
local ROUND_ROBIN = 4    -- algorithm; 0: hash of the Call-ID, 6: random, 9: by weight, 10: least calls
local MAX_FORWARDS = 10

-- Ends the request unless it is well-formed and has not travelled too far.
local function check_request()
  if KSR.maxfwd.process_maxfwd(MAX_FORWARDS) < 0 then
    KSR.sl.send_reply(483, "Too Many Hops")
    KSR.x.exit()
  end
  -- Answers 400, 416 or 420 itself.
  if KSR.sanity.sanity_check(17895, 7) < 0 then
    KSR.notice("malformed request from " .. KSR.kx.get_srcip() .. ":" .. KSR.kx.get_srcport())
    KSR.x.exit()
  end
end

-- Forwards with a transaction. An error has been answered when t_relay returns.
local function relay()
  if KSR.tm.t_relay() < 0 then
    KSR.sl.sl_reply_error()
  end
  KSR.x.exit()
end

-- Requests within a dialog (BYE, re-INVITE, ACK to a 2xx, ...) follow the route that was recorded for it.
local function within_dialog()
  if KSR.siputils.has_totag() < 0 then return end
  if KSR.rr.loose_route() > 0 then
    relay()
  end
  if KSR.is_ACK() then
    -- The ACK of a failure, or one that has lost its way: nobody answers an ACK.
    if KSR.tm.t_check_trans() > 0 then relay() end
    KSR.x.exit()
  end
  KSR.sl.send_reply(404, "Not Here")
  KSR.x.exit()
end

function ksr_request_route()
  check_request()

  -- CANCEL: to the branches of its INVITE, wherever they went, also if that was before a restart.
  if KSR.is_CANCEL() then
    relay()
  end

  -- Retransmissions are absorbed before this script runs; scripts of Kamailio that do it themselves may keep their lines:
  if KSR.tmx.t_precheck_trans() > 0 then
    KSR.tm.t_check_trans()
    KSR.x.exit()
  end
  if not KSR.is_ACK() and KSR.tm.t_check_trans() == 0 then
    KSR.x.exit()
  end

  within_dialog()
  if KSR.is_ACK() then
    KSR.x.exit()
  end

  -- Probes of peers and monitors.
  if KSR.is_OPTIONS() and KSR.is_myself_ruri() then
    KSR.sl.send_reply(200, "OK")
    KSR.x.exit()
  end

  if not KSR.is_INVITE() then
    KSR.sl.send_reply(405, "Method Not Allowed")
    KSR.x.exit()
  end

  -- A route that the caller brings along would lead around the gateways.
  KSR.hdr.remove("Route")
  -- BYE and re-INVITE come this way, too.
  KSR.rr.record_route()

  if KSR.dispatcher.ds_select_dst(GATEWAYS, ROUND_ROBIN) < 0 then
    KSR.hdr.append_to_reply("Retry-After: 5\r\n")
    KSR.sl.send_reply(503, "Service Unavailable")
    KSR.x.exit()
  end
  KSR.tm.t_on_failure("next_gateway")
  relay()
end

-- All branches have failed. What this function leaves undecided goes to the caller: the failure itself.
function next_gateway()
  -- The caller has hung up: no further gateway must ring.
  if KSR.tm.t_is_canceled() > 0 then return end

  -- No answer at all: out of service, and probed until it is back.
  if KSR.tm.t_branch_timeout() > 0 and KSR.tm.t_branch_replied() < 0 then
    KSR.dispatcher.ds_mark_dst("ip")
  end

  -- Busy (486), rejected everywhere (6xx) and the like are answers, not failures of the gateway.
  if KSR.tm.t_check_status("^(408|5[0-9][0-9])$") < 0 then return end

  if KSR.dispatcher.ds_next_dst() > 0 then
    KSR.tm.t_on_failure("next_gateway")
    KSR.tm.t_relay()
  end
end

-- Every reply passes here before its call acts on it. Delete it if there is nothing to do.
function ksr_reply_route()
  KSR.dbg("reply " .. KSR.kx.get_status() .. " from " .. KSR.kx.get_srcip())
end
