-- Every call asks a slow database first; requests for "fast" do not.
function ksr_request_route()
  if KSR.is_CANCEL() then
    KSR.tm.t_relay_cancel()
    return
  end
  if KSR.pv.get("$tt") then
    if KSR.rr.loose_route() > 0 then
      KSR.tm.t_relay()
    elseif not KSR.is_ACK() then
      KSR.sl.send_reply(404, "Not Here")
    end
    return
  end
  if KSR.kx.get_ruser() == "fast" then
    KSR.tm.t_relay()
    return
  end
  if KSR.sqlops.sql_query("slow", "SELECT 'sip:' || 7, CAST(pg_sleep(0.2) AS text)", "ra") ~= 1 then
    KSR.sl.send_reply(500, "No Answer Of The Database")
    return
  end
  if KSR.pv.get("$dbr(ra=>[0,0])") ~= "sip:7" then
    KSR.sl.send_reply(500, "Wrong Answer Of The Database")
    return
  end
  KSR.rr.record_route()
  KSR.tm.t_on_failure("manage_failure")
  if KSR.dispatcher.ds_select_dst(1, 4) < 0 then
    KSR.sl.send_reply(503, "No Gateway")
    return
  end
  KSR.tm.t_relay()
end

function manage_failure()
  if KSR.tm.t_is_canceled() > 0 then return end
  if KSR.tm.t_check_status("5[0-9][0-9]") > 0 and KSR.dispatcher.ds_next_dst() > 0 then
    KSR.tm.t_on_failure("manage_failure")
    KSR.tm.t_relay()
  end
end
