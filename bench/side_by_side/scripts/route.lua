-- The routing of both servers in the comparison: a proxy that stays in the path of its calls, built like the default script of Kamailio
-- without accounts, registrations and NAT. It runs on Perdure and on Kamailio as it stands; native.cfg is the same in Kamailio's own language.

-- Well-formed, not looping, not a scanner.
local function check_request()
  KSR.force_rport()

  local agent = KSR.kx.gete_ua()
  if string.find(agent, "friendly") or string.find(agent, "scanner") or string.find(agent, "sipcli") or string.find(agent, "sipvicious") then
    KSR.x.exit()
  end

  if KSR.maxfwd.process_maxfwd(10) < 0 then
    KSR.sl.sl_send_reply(483, "Too Many Hops")
    KSR.x.exit()
  end

  if KSR.is_OPTIONS() and KSR.is_myself_ruri() and KSR.corex.has_ruri_user() < 0 then
    KSR.sl.sl_send_reply(200, "Keepalive")
    KSR.x.exit()
  end

  if KSR.sanity.sanity_check(17895, 7) < 0 then
    KSR.err("malformed SIP message from " .. KSR.kx.get_srcip() .. ":" .. KSR.kx.get_srcport() .. "\n")
    KSR.x.exit()
  end
end

local function relay()
  if KSR.is_INVITE() and KSR.tm.t_is_set("failure_route") < 0 then
    KSR.tm.t_on_failure("ksr_failure_manage")
  end
  if KSR.tm.t_relay() < 0 then
    KSR.sl.sl_reply_error()
  end
  KSR.x.exit()
end

-- Requests within a dialog follow the route that was recorded.
local function within_dialog()
  if KSR.siputils.has_totag() < 0 then
    return
  end
  if KSR.rr.loose_route() > 0 then
    if KSR.is_NOTIFY() then
      KSR.rr.record_route()
    end
    relay()
  end
  if KSR.is_ACK() then
    -- The ACK of a failure belongs to its INVITE; another one has lost its way.
    if KSR.tm.t_check_trans() > 0 then
      relay()
    end
    KSR.x.exit()
  end
  KSR.sl.sl_send_reply(404, "Not here")
  KSR.x.exit()
end

function ksr_request_route()
  check_request()

  if KSR.is_CANCEL() then
    if KSR.tm.t_check_trans() > 0 then
      relay()
    end
    return
  end

  -- Retransmissions.
  if not KSR.is_ACK() then
    if KSR.tmx.t_precheck_trans() > 0 then
      KSR.tm.t_check_trans()
      return
    end
    if KSR.tm.t_check_trans() == 0 then
      return
    end
  end

  within_dialog()

  -- Only requests outside of dialogs from here.
  KSR.hdr.remove("Route")
  if KSR.is_method_in("IS") then
    KSR.rr.record_route()
  end

  if KSR.corex.has_ruri_user() < 0 then
    KSR.sl.sl_send_reply(484, "Address Incomplete")
    return
  end
  relay()
end

-- All branches have failed; a caller who has hung up wants nothing more.
function ksr_failure_manage()
  if KSR.tm.t_is_canceled() > 0 then
    return
  end
end
