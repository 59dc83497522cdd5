-- Calls to gateways as usual; a request with X-Trouble: KIND PLACE makes that trouble in that callback.
local early = coroutine.wrap(function()
  while true do
    coroutine.yield()
    KSR.x.exit()
  end
end)
early()

local function make_trouble(kind)
  if kind == "loop" then
    while true do end
  elseif kind == "memory" then
    local held = {}
    while true do held[#held + 1] = string.rep("x", 10000) .. #held end
  elseif kind == "error" then
    error("on purpose")
  elseif kind == "stale" then
    early() -- from another time: it cannot end this callback
    early()
  end
end

local function trouble_in(place)
  local kind, where = string.match(KSR.pv.gete("$avp(trouble)"), "(%S+) (%S+)")
  if where == place then make_trouble(kind) end
end

function ksr_request_route()
  if KSR.is_CANCEL() then
    KSR.tm.t_relay_cancel()
    return
  end
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() > 0 then
      KSR.tm.t_relay()
    elseif not KSR.is_ACK() then
      KSR.sl.send_reply(404, "Not Here")
    end
    return
  end
  KSR.tm.t_on_failure("manage_failure")
  local trouble = KSR.hdr.get("X-Trouble")
  if trouble then
    KSR.pv.sets("$avp(trouble)", trouble)
    KSR.tm.t_on_branch("manage_branch")
    KSR.tm.t_on_reply("manage_reply")
    KSR.tm.t_on_branch_failure("manage_branch_failure")
    trouble_in("request")
    KSR.tm.t_relay()
    return
  end
  KSR.rr.record_route()
  if KSR.dispatcher.ds_select_dst(1, 4) < 0 then
    KSR.sl.send_reply(503, "No Gateway")
    return
  end
  KSR.tm.t_relay()
end

function ksr_reply_route()
  local kind, where = string.match(KSR.hdr.gete("X-Trouble"), "(%S+) (%S+)")
  if where == "reply" then make_trouble(kind) end
end

function manage_branch() trouble_in("branch") end
function manage_reply() trouble_in("onreply") end
function manage_branch_failure() trouble_in("branch_failure") end

function manage_failure()
  trouble_in("failure")
  if KSR.tm.t_is_canceled() > 0 then return end
  if KSR.tm.t_check_status("5[0-9][0-9]") > 0 and KSR.dispatcher.ds_next_dst() > 0 then
    KSR.tm.t_on_failure("manage_failure")
    KSR.tm.t_relay()
  end
end
