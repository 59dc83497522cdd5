-- What perdure runs without a configuration: a plain proxy on loopback, to try it out.
-- It forwards to the numeric address in the Request-URI. That would be an open relay on the Internet, but without a configuration the
-- server listens on loopback only. For real work start from routes.lua.

function ksr_request_route()
  if KSR.maxfwd.process_maxfwd(10) < 0 then
    KSR.sl.send_reply(483, "Too Many Hops")
    return
  end

  -- CANCEL: to the branches of its INVITE.
  if KSR.is_CANCEL() then
    KSR.tm.t_relay()
    return
  end

  -- Within a dialog: the Route header, which we recorded, says where to.
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 then
      KSR.tm.t_relay()
    elseif KSR.is_ACK() then
      if KSR.tm.t_check_trans() > 0 then KSR.tm.t_relay() end
    else
      KSR.sl.send_reply(404, "Not Here")
    end
    return
  end

  if KSR.is_ACK() then return end

  if KSR.is_myself_ruri() then
    if KSR.is_OPTIONS() then
      KSR.sl.send_reply(200, "OK")
    else
      KSR.sl.send_reply(404, "Not Found")
    end
    return
  end

  local host = KSR.pv.gete("$rd")
  if not (host:match("^%d+%.%d+%.%d+%.%d+$") or host:match("^%[[%x:.]+%]$")) then
    KSR.sl.send_reply(404, "Not Found")
    return
  end

  if KSR.is_INVITE() or KSR.is_SUBSCRIBE() then KSR.rr.record_route() end
  KSR.tm.t_relay()
end
