-- A registrar in a table, for clients that register.
local function destination(ip, port, transport)
    return "sip:" .. (ip:find(":", 1, true) and "[" .. ip .. "]" or ip) .. ":" .. port .. ";transport=" .. transport
end

-- Clients by UDP and TCP listen where their Contact says. The others can be reached by the connection that they opened, and by no other.
local function register()
    local user, contact, transport = KSR.pv.gete("$fU"), KSR.pv.gete("$(ct{nameaddr.uri})"), KSR.kx.get_proto()
    local way = contact
    if transport ~= "udp" and transport ~= "tcp" then way = destination(KSR.pv.gete("$si"), KSR.pv.gete("$sp"), transport) end
    KSR.htable.sht_sets("location", user .. " contact", contact)
    KSR.htable.sht_sets("location", user .. " way", way)
    KSR.hdr.append_to_reply("Contact: <" .. contact .. ">;expires=600\r\n")
    KSR.sl.send_reply(200, "OK")
end

function ksr_request_route()
    local method = KSR.pv.gete("$rm")
    if method == "CANCEL" then
        KSR.tm.t_relay()
        return
    end
    if method == "REGISTER" then return register() end
    -- Both ends of a dialog learn the way by which the other one came, and give it back in the Request-URI.
    if method ~= "MESSAGE" then KSR.nathelper.add_contact_alias() end
    if KSR.siputils.has_totag() > 0 then
        if KSR.rr.loose_route() > 0 then
            KSR.nathelper.handle_ruri_alias()
            KSR.tm.t_relay()
        elseif method ~= "ACK" then
            KSR.sl.send_reply(404, "Not Here")
        end
        return
    end
    local user = KSR.pv.gete("$rU")
    local contact = KSR.htable.sht_gete("location", user .. " contact")
    if contact == "" then
        if method ~= "ACK" then KSR.sl.send_reply(404, "Not Found") end
        return
    end
    KSR.pv.sets("$ru", contact)
    KSR.pv.sets("$du", KSR.htable.sht_gete("location", user .. " way"))
    if method == "INVITE" then KSR.rr.record_route() end
    KSR.tm.t_relay()
end

function ksr_reply_route()
    KSR.nathelper.add_contact_alias()
end
