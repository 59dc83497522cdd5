-- A registrar and proxy in the shape that most KEMI scripts have: checks, requests within dialogs, CANCEL, retransmissions, authentication,
-- record-routing, registrations, local users, and callbacks for branches, replies and failures. Parts whose module is not there are skipped.

local FLAG_ACCOUNT, FLAG_ACCOUNT_MISSED, FLAG_ACCOUNT_FAILED, FLAG_NAT = 1, 2, 3, 5
local BRANCH_NAT, BRANCH_NAT_PING = 6, 7
local has_nathelper = KSR.nathelper and KSR.nathelper.nat_uac_test -- all of it

local users = { bob = "sip:bob@{bob}", carol = "sip:carol@{carol}" }

local function is_banned()
  if not KSR.htable or not KSR.pike or KSR.is_myself_srcip() then return false end
  local source = KSR.kx.get_srcip()
  if KSR.htable.sht_match_name("numbers", "eq", source) > 0 then return true end
  if KSR.pike.pike_check_req() < 0 then
    KSR.htable.sht_seti("numbers", source, 1)
    return true
  end
  return false
end

local function check_request()
  KSR.set_reply_no_connect()
  if is_banned() then
    KSR.dbg(KSR.kx.get_method() .. " from blocked address " .. KSR.kx.get_srcip() .. ":" .. KSR.kx.get_srcport() .. " " .. KSR.kx.get_furi() .. "\n")
    KSR.x.exit()
  end
  local agent = KSR.kx.gete_ua()
  if string.find(agent, "friendly-scanner", 1, true) or string.find(agent, "sipcli", 1, true) then
    KSR.sl.sl_send_reply(200, "OK")
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
  if KSR.sanity.sanity_check(1511, 7) < 0 then
    KSR.err("malformed request from " .. KSR.kx.get_srcip() .. ":" .. KSR.kx.get_srcport() .. "\n")
    KSR.x.exit()
  end
end

local function detect_nat()
  KSR.force_rport()
  if has_nathelper and KSR.nathelper.nat_uac_test(19) > 0 then
    if KSR.is_REGISTER() then
      KSR.nathelper.fix_nated_register()
    elseif KSR.siputils.is_first_hop() > 0 then
      KSR.nathelper.set_contact_alias()
    end
    KSR.setflag(FLAG_NAT)
  end
end

local function manage_nat()
  if KSR.siputils.is_request() > 0 and KSR.siputils.has_totag() > 0 and KSR.rr.check_route_param("nat=yes") > 0 then
    KSR.setbflag(BRANCH_NAT)
  end
  if not (KSR.isflagset(FLAG_NAT) or KSR.isbflagset(BRANCH_NAT)) then return end
  if KSR.rtpproxy then KSR.rtpproxy.rtpproxy_manage("co") end
  if KSR.siputils.is_request() > 0 and KSR.siputils.has_totag() < 0 and KSR.tmx.t_is_branch_route() > 0 then
    KSR.rr.add_rr_param(";nat=yes")
  end
  if KSR.siputils.is_reply() > 0 and KSR.isbflagset(BRANCH_NAT) and has_nathelper then
    KSR.nathelper.set_contact_alias()
  end
end

local function relay()
  if KSR.is_method_in("IBSU") and KSR.tm.t_is_set("branch_route") < 0 then KSR.tm.t_on_branch("ksr_branch_manage") end
  if KSR.is_method_in("ISU") and KSR.tm.t_is_set("onreply_route") < 0 then KSR.tm.t_on_reply("ksr_onreply_manage") end
  if KSR.is_INVITE() and KSR.tm.t_is_set("failure_route") < 0 then KSR.tm.t_on_failure("ksr_failure_manage") end
  if KSR.tm.t_relay() < 0 then KSR.sl.sl_reply_error() end
  KSR.x.exit()
end

local function within_dialog()
  if KSR.siputils.has_totag() < 0 then return end
  if KSR.rr.loose_route() > 0 then
    if not KSR.isdsturiset() and has_nathelper then KSR.nathelper.handle_ruri_alias() end
    if KSR.is_BYE() then
      KSR.setflag(FLAG_ACCOUNT)
      KSR.setflag(FLAG_ACCOUNT_FAILED)
    elseif KSR.is_ACK() then
      manage_nat()
    elseif KSR.is_NOTIFY() then
      KSR.rr.record_route()
    end
    relay()
  end
  if KSR.is_ACK() then
    if KSR.tm.t_check_trans() > 0 then relay() end
    KSR.x.exit()
  end
  KSR.sl.sl_send_reply(404, "Not here")
  KSR.x.exit()
end

local function authenticate()
  if not KSR.is_REGISTER() and KSR.permissions and KSR.permissions.allow_source_address(1) > 0 then return end
  if KSR.auth_db and KSR.auth and (KSR.is_REGISTER() or KSR.is_myself_furi()) then
    if KSR.auth_db.auth_check(KSR.kx.gete_fhost(), "subscriber", 1) < 0 then
      KSR.auth.auth_challenge(KSR.kx.gete_fhost(), 0)
      KSR.x.exit()
    end
    if not KSR.is_method_in("RP") then KSR.auth.consume_credentials() end
  end
  if not KSR.is_myself_furi() and not KSR.is_myself_ruri() then
    KSR.sl.sl_send_reply(403, "Not relaying")
    KSR.x.exit()
  end
end

local function save()
  if not KSR.is_REGISTER() then return end
  if KSR.isflagset(FLAG_NAT) then
    KSR.setbflag(BRANCH_NAT)
    KSR.setbflag(BRANCH_NAT_PING)
  end
  if not KSR.registrar then
    KSR.sl.send_reply(501, "No registrar")
  elseif KSR.registrar.save("location", 0) < 0 then
    KSR.sl.sl_reply_error()
  end
  KSR.x.exit()
end

local function lookup()
  if KSR.registrar then return KSR.registrar.lookup("location") end
  local target = users[KSR.kx.gete_ruser()]
  if not target then return -1 end
  KSR.seturi(target)
  return 1
end

local function locate()
  local found = lookup()
  if found < 0 then
    KSR.tm.t_newtran()
    if found == -2 then
      KSR.sl.send_reply("405", "Method Not Allowed")
    else
      KSR.sl.send_reply("404", "Not Found")
    end
    KSR.x.exit()
  end
  if KSR.is_INVITE() then KSR.setflag(FLAG_ACCOUNT_MISSED) end
  relay()
end

function ksr_request_route()
  check_request()
  detect_nat()
  if KSR.is_CANCEL() then
    if KSR.tm.t_check_trans() > 0 then relay() end
    return 1
  end
  within_dialog()

  if KSR.tmx.t_precheck_trans() > 0 then
    KSR.tm.t_check_trans()
    return 1
  end
  if KSR.tm.t_check_trans() == 0 then return 1 end

  authenticate()
  KSR.hdr.remove("Route")
  if KSR.is_method_in("IS") then KSR.rr.record_route() end
  if KSR.is_INVITE() then KSR.setflag(FLAG_ACCOUNT) end

  if not KSR.is_myself_ruri() then
    KSR.hdr.append("P-Hint: outbound\r\n")
    relay()
  end
  save()
  if KSR.corex.has_ruri_user() < 0 then
    KSR.sl.sl_send_reply(484, "Address Incomplete")
    return 1
  end
  locate()
  return 1
end

function ksr_branch_manage()
  KSR.dbg("new branch [" .. KSR.pv.get("$T_branch_idx") .. "] to " .. KSR.kx.get_ruri() .. "\n")
  manage_nat()
  return 1
end

function ksr_onreply_manage()
  KSR.dbg("incoming reply\n")
  local status = KSR.kx.get_status()
  if status > 100 and status < 299 then manage_nat() end
  return 1
end

function ksr_failure_manage()
  manage_nat()
  if KSR.tm.t_is_canceled() > 0 then return 1 end
  return 1
end

function ksr_reply_route()
  KSR.info("response\n")
  if KSR.sanity.sanity_check(17604, 6) < 0 then
    KSR.err("malformed response from " .. KSR.kx.get_srcip() .. "\n")
    KSR.x.drop()
  end
  return 1
end
