-- The routes of the simulator (sim/routes.cpp) as a script. The user part of the Request-URI says which gateways a call is for:
-- "s.3.12" one after the other, "p.3.12" both at once.

local function gateway_uri(index)
  index = tonumber(index)
  return "sip:gateway@10.2." .. math.floor(index / 250) .. "." .. (index % 250 + 1) .. ":5060"
end

local function gateways(user)
  local list = {}
  for index in user:gmatch("%.(%d+)") do list[#list + 1] = index end
  return list
end

-- Relays to the gateway at that place of the list; when it fails, the next one has its turn.
local function relay_to(list, place)
  KSR.seturi(gateway_uri(list[place]))
  if place < #list then
    KSR.pv.seti("$avp(next)", place + 1)
    KSR.tm.t_on_failure("next_gateway")
  end
  KSR.tm.t_relay()
end

function ksr_request_route()
  if KSR.is_CANCEL() then
    KSR.tm.t_relay()
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
  if KSR.is_ACK() then return end -- it belongs to no dialog
  local user = KSR.pv.gete("$rU")
  local list = gateways(user)
  if #list == 0 then
    KSR.sl.send_reply(404, "Not Found")
    return
  end
  KSR.rr.record_route()
  if user:sub(1, 1) == "p" then
    for place = 2, #list do KSR.corex.append_branch_uri(gateway_uri(list[place])) end
    list = { list[1] }
  else
    KSR.pv.sets("$avp(user)", user)
  end
  relay_to(list, 1)
end

function next_gateway()
  if KSR.tm.t_is_canceled() > 0 or KSR.tm.t_check_status("6..") > 0 then return end
  relay_to(gateways(KSR.pv.gete("$avp(user)")), KSR.pv.get("$avp(next)"))
end
