-- An edge for devices behind NAT, by any transport, in front of the registrars and application servers that know the subscribers.
--
--   dispatcher.list  set 1: those servers
--
-- A device is reached by the way that it came and by no other. The edge writes that way into the Contact (`;alias=`), of registrations,
-- calls and answers, so the servers give it back with every request to the device; and it puts itself into the Path (RFC 3327), so that
-- these requests come here. Nothing is kept in memory: a restart forgets no device, and its connection outlives the engine.

local SERVERS = 1                       -- set of dispatcher.list; what comes from these addresses and ports comes from a server
local HASH_OF_AOR = 1                   -- algorithm: hash of the From URI, so that a subscriber stays with one server
local NAT = 1 + 2 + 16 + 64             -- private Contact; Via of another host or port; WebSocket
local PATH = "sip:127.0.0.1:5060;lr"    -- where the servers reach this edge

local function answer(code, reason)
  KSR.sl.send_reply(code, reason)
  KSR.x.exit()
end

local function relay()
  if KSR.tm.t_relay() < 0 then
    KSR.sl.sl_reply_error()
  end
  KSR.x.exit()
end

local function from_server()
  return KSR.dispatcher.ds_is_from_list(SERVERS) > 0
end

-- Of a request or an answer of a device: the way that it came.
local function note_way()
  if KSR.nathelper.nat_uac_test(NAT) > 0 then KSR.nathelper.add_contact_alias() end
end

-- Down the way that the Contact of the device has brought along, if the request goes to a device.
local function follow_way()
  if KSR.nathelper.handle_ruri_alias() < 0 then answer(400, "Bad Alias") end
end

-- To one of the servers; on a failure of it to the next.
local function to_servers(algorithm)
  if KSR.dispatcher.ds_select_dst(SERVERS, algorithm) < 0 then
    KSR.hdr.append_to_reply("Retry-After: 5\r\n")
    answer(503, "Service Unavailable")
  end
  KSR.tm.t_on_failure("next_server")
  relay()
end

local function within_dialog(is_server)
  if KSR.siputils.has_totag() < 0 then return end
  if KSR.rr.loose_route() > 0 then
    if not is_server then note_way() end
    follow_way()
    relay()
  end
  if KSR.is_ACK() then
    if KSR.tm.t_check_trans() > 0 then relay() end
    KSR.x.exit()
  end
  answer(404, "Not Here")
end

-- A new request of a server goes to the device whose registration brought our Path.
local function to_device()
  if KSR.rr.loose_route() < 0 then answer(404, "Not Here") end
  KSR.rr.record_route()
  follow_way()
  relay()
end

function ksr_request_route()
  local is_server = from_server()
  -- Before anything is worked on: a device that sends too much is not heard.
  if not is_server and KSR.pike.pike_check_req() < 0 then KSR.x.exit() end
  if KSR.maxfwd.process_maxfwd(10) < 0 then answer(483, "Too Many Hops") end
  -- Answers 400, 416 or 420 itself.
  if KSR.sanity.sanity_check(17895, 7) < 0 then KSR.x.exit() end
  if KSR.is_CANCEL() then relay() end
  within_dialog(is_server)
  if KSR.is_ACK() then KSR.x.exit() end

  -- Devices keep their way open with these, servers probe us.
  if KSR.is_OPTIONS() and KSR.is_myself_ruri() then answer(200, "OK") end
  if is_server then to_device() end

  -- A route that a device brings along would lead around the servers.
  KSR.hdr.remove("Route")
  note_way()
  if KSR.is_REGISTER() then
    KSR.hdr.append("Path: <" .. PATH .. ">\r\n")
  else
    KSR.rr.record_route()
  end
  to_servers(HASH_OF_AOR)
end

function ksr_reply_route()
  if not from_server() then note_way() end
end

-- The server is silent or cannot: the next one. Other failures are answers and go to the device.
function next_server()
  if KSR.tm.t_is_canceled() > 0 then return end
  if KSR.tm.t_branch_timeout() > 0 and KSR.tm.t_branch_replied() < 0 then
    KSR.dispatcher.ds_mark_dst("ip")
  end
  if KSR.tm.t_check_status("^(408|5[0-9][0-9])$") < 0 then return end
  if KSR.dispatcher.ds_next_dst() > 0 then
    KSR.tm.t_on_failure("next_server")
    KSR.tm.t_relay()
  end
end
