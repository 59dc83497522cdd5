-- Requests go where their Request-URI says. A failure route that answers shows which failure it has seen.

function ksr_request_route()
  if KSR.is_CANCEL() then
    KSR.tm.t_relay()
    KSR.x.exit()
  end
  if KSR.siputils.has_totag() > 0 then
    KSR.rr.loose_route()
    KSR.tm.t_relay()
    KSR.x.exit()
  end
  KSR.rr.record_route()
  local fr = KSR.hdr.get("X-Timeout")
  if fr ~= nil then KSR.tm.t_set_fr(0, tonumber(fr)) end
  if KSR.hdr.is_present("X-Branch-Failure") > 0 then KSR.tm.t_on_branch_failure("branch_failed") end
  if KSR.hdr.is_present("X-Failure") > 0 then KSR.tm.t_on_failure("failed") end
  local destination = KSR.hdr.get("X-Destination")
  if destination ~= nil then KSR.pv.sets("$du", destination) end
  if KSR.tm.t_relay() < 0 then KSR.sl.sl_reply_error() end
  KSR.x.exit()
end

function failed()
  KSR.tm.t_reply(600, "saw " .. KSR.pv.get("$T_reply_code"))
end

function branch_failed()
  KSR.pv.sets("$ru", KSR.hdr.get("X-Branch-Failure"))
  KSR.tm.t_relay()
end
