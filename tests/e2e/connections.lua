-- Devices by connections: whoever is called has registered nothing, its address stands in the Request-URI.
function ksr_request_route()
    if KSR.pv.get("$rm") == "CANCEL" then
        KSR.tm.t_relay()
        return
    end
    if KSR.siputils.has_totag() > 0 then
        if KSR.rr.loose_route() > 0 then
            KSR.tm.t_relay()
        elseif KSR.pv.get("$rm") ~= "ACK" then
            KSR.sl.sl_send_reply(404, "Not Here")
        end
        return
    end
    if KSR.pv.get("$rm") == "OPTIONS" then
        KSR.sl.sl_send_reply(200, "Keepalive")
        return
    end
    KSR.rr.record_route()
    KSR.tm.t_relay()
end
