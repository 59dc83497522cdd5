-- A trunk is called by the connection that it has opened.
function ksr_request_route()
  if KSR.is_OPTIONS() then
    if KSR.kx.get_proto() == "tcp" then
      if KSR.hdr.is_present("X-Port") > 0 then KSR.add_tcp_alias(tonumber(KSR.pv.get("$hdr(X-Port)"))) else KSR.add_tcp_alias_via() end
    end
    KSR.sl.send_reply(200, "OK")
    return
  end
  KSR.set_forward_no_connect()
  KSR.tm.t_relay()
end
