// The script of the comparison has the shape of Kamailio's own example and calls what that calls; what is not here yet is nil there.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "script/ksr/function.hpp"

namespace perdure::script {
namespace {

const char* const functions_of_the_example[] = {"auth.auth_challenge",
                                                "auth.consume_credentials",
                                                "auth_db.auth_check",
                                                "corex.has_ruri_user",
                                                "dbg",
                                                "err",
                                                "force_rport",
                                                "hdr.append",
                                                "hdr.remove",
                                                "htable.sht_match_name",
                                                "htable.sht_seti",
                                                "info",
                                                "is_ACK",
                                                "is_BYE",
                                                "is_CANCEL",
                                                "is_INVITE",
                                                "is_NOTIFY",
                                                "is_OPTIONS",
                                                "is_REGISTER",
                                                "is_method_in",
                                                "is_myself_furi",
                                                "is_myself_ruri",
                                                "is_myself_srcip",
                                                "isbflagset",
                                                "isdsturiset",
                                                "isflagset",
                                                "kx.get_furi",
                                                "kx.get_method",
                                                "kx.get_ruri",
                                                "kx.get_srcip",
                                                "kx.get_srcport",
                                                "kx.get_status",
                                                "kx.gete_fhost",
                                                "kx.gete_ua",
                                                "maxfwd.process_maxfwd",
                                                "nathelper.fix_nated_register",
                                                "nathelper.handle_ruri_alias",
                                                "nathelper.nat_uac_test",
                                                "nathelper.set_contact_alias",
                                                "permissions.allow_source_address",
                                                "pike.pike_check_req",
                                                "pv.get",
                                                "registrar.lookup",
                                                "registrar.save",
                                                "rr.add_rr_param",
                                                "rr.check_route_param",
                                                "rr.loose_route",
                                                "rr.record_route",
                                                "rtpproxy.rtpproxy_manage",
                                                "sanity.sanity_check",
                                                "set_reply_no_connect",
                                                "setbflag",
                                                "setflag",
                                                "siputils.has_totag",
                                                "siputils.is_first_hop",
                                                "siputils.is_reply",
                                                "siputils.is_request",
                                                "sl.send_reply",
                                                "sl.sl_reply_error",
                                                "sl.sl_send_reply",
                                                "tm.t_check_trans",
                                                "tm.t_is_canceled",
                                                "tm.t_is_set",
                                                "tm.t_newtran",
                                                "tm.t_on_branch",
                                                "tm.t_on_failure",
                                                "tm.t_on_reply",
                                                "tm.t_relay",
                                                "tmx.t_is_branch_route",
                                                "tmx.t_precheck_trans",
                                                "x.drop",
                                                "x.exit"};

// What comes with registrations, authentication and media.
const std::set<std::string> missing = {"auth.auth_challenge", "auth.consume_credentials", "auth_db.auth_check",
                                       "registrar.lookup",    "registrar.save",           "rtpproxy.rtpproxy_manage"};

TEST(StockScript, CallsWhatTheExampleOfKamailioCalls) {
  std::ifstream file(PERDURE_SOURCE_DIR "/tests/compare/stock.lua");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(text.empty());
  for (const std::string name : functions_of_the_example) {
    EXPECT_NE(text.find("KSR." + name + "("), std::string::npos) << name;
    EXPECT_EQ(find_function(name) == nullptr, missing.contains(name)) << name;
  }
}

}  // namespace
}  // namespace perdure::script
