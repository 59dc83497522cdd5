// KSR.permissions, pike, pipelimit.
#include <gtest/gtest.h>

#include "bench.hpp"
#include "limit/pipes.hpp"
#include "limit/sources.hpp"
#include "permissions/address_list.hpp"

namespace perdure::script {
namespace {

class Limits : public testing::Test {
 protected:
  Limits() {
    auto list = permissions::AddressList::parse("1 127.0.0.1 32 0 local\n2 192.0.2.0 24 5060 net\n7 192.0.2.9\n", "address.list");
    EXPECT_TRUE(list);
    permissions.replace(std::move(*list));
  }

  // What an expression gives in the request route, after some statements.
  std::string evaluate(const std::string& expression, const std::string& before = {}) {
    Bench bench("function ksr_request_route()\n" + before + "\nlocal value = " + expression +
                "\nKSR.hdr.append_to_reply('X-Value: ' .. type(value) .. ' ' .. tostring(value) .. '\\r\\n')\n"
                "KSR.sl.send_reply(299, 'Done')\nend\n");
    bench.options().permissions = {&permissions, "tag"};
    bench.options().sources = &sources;
    bench.options().pipes = &pipes;
    bench.start();
    const auto sent = bench.receive(Request{});
    const auto* answer = first(sent, "SIP/2.0 299");
    return answer ? answer->header("X-Value") : bench.runner().counters().last_error;
  }

  permissions::Permissions permissions;
  limit::Sources sources{{.interval = 2s, .requests_max = 3}};
  limit::Pipes pipes{{{.name = "fixed", .limit = 1}}, 10s};
};

TEST_F(Limits, AddressesAreFoundInTheirGroups) {
  EXPECT_EQ(evaluate("KSR.permissions.allow_source_address(1)"), "number 1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_source_address()"), "number 1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_source_address(2)"), "number -1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_source_address(-5)"), "number -1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_source_address_group()"), "number 1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_address(2, '192.0.2.9', 5060)"), "number 1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_address(2, '192.0.2.9', 5061)"), "number -1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_address(2, 'example.org', 5060)"), "number -1");
  EXPECT_EQ(evaluate("KSR.permissions.allow_address_group('192.0.2.9', 5061)"), "number 7");
  EXPECT_EQ(evaluate("KSR.permissions.allow_address_group('198.51.100.1', 5061)"), "number -1");
  EXPECT_EQ(evaluate("KSR.pv.get('$avp(tag)')", "KSR.permissions.allow_address(2, '192.0.2.8', 5060)"), "string net");
  EXPECT_EQ(evaluate("KSR.pv.get('$avp(tag)')", "KSR.permissions.allow_address(2, '192.0.2.8', 1)"), "nil nil");
}

TEST_F(Limits, SourcesAreBlocked) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(evaluate("KSR.pike.pike_check_req()"), "number 1");
  EXPECT_EQ(evaluate("KSR.pike.pike_check_ip('127.0.0.1')"), "number -2");
  EXPECT_EQ(evaluate("KSR.pike.pike_check_req()"), "number -1");
  EXPECT_EQ(evaluate("KSR.pike.pike_check_ip('192.0.2.1')"), "number 1");
  EXPECT_EQ(evaluate("KSR.pike.pike_check_ip('zz')"), "number -1");
}

TEST_F(Limits, PipesHaveARate) {
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check('none')"), "number -2");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check('fixed')"), "number 1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check('fixed')"), "number -1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_active('p2')"), "number -1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check_limit('p2', 'TAILDROP', 2)"), "number 1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check_limit('p2', 'TAILDROP', 2)"), "number 1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check_limit('p2', 'TAILDROP', 2)"), "number -1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_active('p2')"), "number 1");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check_limit('p3', 'ZZ', 2)"), "number -2");
  EXPECT_EQ(evaluate("KSR.pipelimit.pl_check_limit('p3', 'RED', -2)"), "number -2");
}

TEST_F(Limits, AreNilWithoutAnyConfigured) {
  Bench bench("function ksr_request_route()\nif not KSR.permissions and not KSR.pike then KSR.sl.send_reply(299, 'None') end\nend\n");
  EXPECT_TRUE(first(bench.receive(Request{}), "SIP/2.0 299"));
}

}  // namespace
}  // namespace perdure::script
