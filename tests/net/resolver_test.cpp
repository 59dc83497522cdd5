#include "net/resolver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "net/name_server.hpp"

namespace perdure::net {
namespace {

using locate::Answer;
using locate::AnswerPointer;
using locate::Question;
using locate::RecordType;
using test::NameServer;
using test::ScriptedNameServer;
using Replies = std::vector<ScriptedNameServer::Bytes>;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::unique_ptr<Resolver> resolver(const std::string& server, ResolverOptions options = {}) {
  options.servers = {server};
  auto made = Resolver::create(std::move(options));
  EXPECT_TRUE(made.has_value());
  return made ? std::move(*made) : nullptr;
}

AnswerPointer look_up(Resolver& resolver, Question question) {
  std::promise<AnswerPointer> answered;
  resolver.look_up(std::move(question), [&](AnswerPointer answer) { answered.set_value(std::move(answer)); });
  return answered.get_future().get();
}

locate::Reach udp_and_tcp() {
  locate::Reach reach;
  reach.add(Transport::Udp, Family::IPv4);
  reach.add(Transport::Tcp, Family::IPv4);
  return reach;
}

// As the proxy does it: searches, then locates with what has come.
std::vector<std::string> located(Resolver& resolver, std::string_view uri, Duration timeout = 10s) {
  const auto destination = *locate::Destination::of(*sip::Uri::parse(uri));
  std::promise<std::shared_ptr<locate::AnswerSet>> found;
  const bool begun = resolver.search({.destinations = {destination},
                                      .reach = udp_and_tcp(),
                                      .policy = {},
                                      .timeout = timeout,
                                      .asker = 0,
                                      .done = [&](std::shared_ptr<locate::AnswerSet> answers) { found.set_value(std::move(answers)); }});
  if (!begun) return {"refused"};
  const auto answers = found.get_future().get();
  const auto servers = locate::locate(destination, udp_and_tcp(), {}, *answers, 1);
  EXPECT_THAT(servers.missing, IsEmpty());
  std::vector<std::string> out;
  for (const auto& one : servers.servers) out.push_back(std::string(name(one.transport)) + " " + one.address.text());
  return out;
}

// One server for all tests of this file that only ask.
const NameServer& server() {
  static const NameServer one([] {
    std::string records =
        "sip IN NAPTR 10 10 \"s\" \"SIP+D2T\" \"\" _sip._tcp.sip\n"
        "sip IN NAPTR 20 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.sip\n"
        "_sip._tcp.sip IN SRV 10 1 5060 a\n"
        "_sip._tcp.sip IN SRV 20 1 5070 b\n"
        "_sip._udp.sip IN SRV 10 1 5080 a\n"
        "a IN A 127.0.0.11\n"
        "b IN A 127.0.0.12\n"
        "alias IN CNAME a\n"
        "out IN CNAME a.elsewhere.test.\n"
        "circle IN CNAME circle2\n"
        "circle2 IN CNAME circle\n"
        "short 0 IN A 127.0.0.13\n"
        "_sip._udp.nothere IN SRV 0 0 0 .\n"
        "nothere IN A 127.0.0.14\n";
    for (int i = 1; i <= 250; ++i) records += "many IN A 127.0.1." + std::to_string(i) + "\n";
    return records;
  }());
  return one;
}

// An answer is told before its query has ended.
std::uint64_t open_queries_come_down_to(const Resolver& dns, std::uint64_t wanted) {
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (dns.counters().open_queries > wanted && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return dns.counters().open_queries;
}

TEST(Resolver, LocatesByNaptrSrvAndAddress) {
  const auto dns = resolver(server().address());
  EXPECT_THAT(located(*dns, "sip:sip.example.test"), ElementsAre("tcp 127.0.0.11:5060", "tcp 127.0.0.12:5070"));
  EXPECT_THAT(located(*dns, "sip:sip.example.test;transport=udp"), ElementsAre("udp 127.0.0.11:5080"));
  EXPECT_THAT(located(*dns, "sip:b.example.test:5090"), ElementsAre("udp 127.0.0.12:5090"));
  EXPECT_THAT(located(*dns, "sip:alias.example.test"), ElementsAre("udp 127.0.0.11:5060"));
  EXPECT_THAT(located(*dns, "sip:nothere.example.test;transport=udp"), IsEmpty());
  EXPECT_THAT(located(*dns, "sip:nowhere.example.test"), IsEmpty());
  EXPECT_THAT(located(*dns, "sip:circle.example.test:5060"), IsEmpty());
  EXPECT_THAT(located(*dns, "sip:short.example.test:5060"), ElementsAre("udp 127.0.0.13:5060"));
  EXPECT_EQ(open_queries_come_down_to(*dns, 0), 0U);
}

TEST(Resolver, AsksOnceWhileTheAnswerLives) {
  const auto dns = resolver(server().address());
  EXPECT_THAT(located(*dns, "sip:a.example.test:5060"), SizeIs(1));
  EXPECT_THAT(located(*dns, "sip:no.example.test:5060"), IsEmpty());
  EXPECT_EQ(dns->counters().queries, 2U);
  EXPECT_THAT(located(*dns, "sip:a.example.test:5060"), SizeIs(1));
  EXPECT_THAT(located(*dns, "sip:no.example.test:5060"), IsEmpty()) << "that there is none is known, too";
  EXPECT_EQ(dns->counters().queries, 2U);
  EXPECT_EQ(dns->counters().negative, 1U);
  dns->forget_all();
  EXPECT_THAT(located(*dns, "sip:a.example.test:5060"), SizeIs(1));
  EXPECT_EQ(dns->counters().queries, 3U);
}

TEST(Resolver, AnAnswerThatIsTooLargeForADatagramComesByTcp) {
  const auto dns = resolver(server().address());
  const auto answer = look_up(*dns, {RecordType::A, "many.example.test"});
  EXPECT_THAT(answer->addresses, SizeIs(locate::records_max));
  EXPECT_EQ(answer->left_out, 250 - locate::records_max);
  EXPECT_THAT(located(*dns, "sip:many.example.test:5060"), SizeIs(8)) << "only so many are tried";
}

TEST(Resolver, AServerThatDoesNotAnswerCostsTheDeadline) {
  ScriptedNameServer silent([](const auto&) { return Replies{}; });
  const auto dns = resolver(silent.address(), {.timeout = 50ms, .tries = 1});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(located(*dns, "sip:a.example.test:5060", 10s), IsEmpty()) << "c-ares gives up";
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 40ms);
  EXPECT_EQ(dns->counters().late, 1U);
  const auto slow = resolver(silent.address(), {.timeout = 30s, .tries = 1});
  EXPECT_THAT(located(*slow, "sip:a.example.test:5060", 50ms), IsEmpty()) << "the search does";
  EXPECT_EQ(slow->counters().searches_late, 1U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Resolver, AFailureIsRememberedForAMoment) {
  ScriptedNameServer failing([](const auto& query) { return Replies{ScriptedNameServer::answer(query, 0x8182)}; });  // SERVFAIL
  const auto dns = resolver(failing.address(), {.timeout = 100ms, .tries = 1});
  EXPECT_EQ(look_up(*dns, {RecordType::A, "a.test"})->kind, Answer::Kind::Failed);
  const int asked = failing.queries();
  EXPECT_EQ(look_up(*dns, {RecordType::A, "a.test"})->kind, Answer::Kind::Failed);
  EXPECT_EQ(failing.queries(), asked);
}

TEST(Resolver, AnOldAnswerStandsInWhenTheServersAreGone) {
  std::atomic<bool> gone = false;
  const std::string addresses[] = {"127.0.0.9"};
  ScriptedNameServer server([&](const auto& query) {
    return Replies{gone ? ScriptedNameServer::answer(query, 0x8182) : ScriptedNameServer::with_addresses(query, addresses, 0)};
  });
  ResolverOptions options{.timeout = 100ms, .tries = 1};
  options.cache.ttl_min = 0s;
  const auto dns = resolver(server.address(), options);
  EXPECT_THAT(look_up(*dns, {RecordType::A, "a.test"})->addresses, SizeIs(1));
  gone = true;
  EXPECT_THAT(look_up(*dns, {RecordType::A, "a.test"})->addresses, SizeIs(1));
  EXPECT_EQ(dns->counters().cache.stale, 1U);
}

TEST(Resolver, WhoeverAsksTheSameWaitsForTheSameAnswer) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  const std::string addresses[] = {"127.0.0.9"};
  ScriptedNameServer server([&](const auto& query) {
    released.wait();
    return Replies{ScriptedNameServer::with_addresses(query, addresses, 60)};
  });
  const auto dns = resolver(server.address(), {.timeout = 30s});
  std::vector<std::promise<AnswerPointer>> answers(100);
  for (auto& one : answers) dns->look_up({RecordType::A, "a.test"}, [&](AnswerPointer answer) { one.set_value(std::move(answer)); });
  release.set_value();
  for (auto& one : answers) EXPECT_THAT(one.get_future().get()->addresses, SizeIs(1));
  EXPECT_EQ(server.queries(), 1);
  EXPECT_EQ(dns->counters().merged, 99U);
}

TEST(Resolver, PoisonIsNotTaken) {
  const std::string good[] = {"127.0.0.1"}, bad[] = {"127.0.0.66"};
  ScriptedNameServer server([&](const auto& query) {
    std::vector<ScriptedNameServer::Bytes> answers;
    auto other_id = ScriptedNameServer::with_addresses(query, bad, 60);
    other_id[0] ^= 0xFF;
    answers.push_back(other_id);
    auto other_question = ScriptedNameServer::with_addresses(query, bad, 60);
    other_question[13] ^= 1;
    answers.push_back(other_question);
    // A record of another name in the answer to this one.
    auto other_owner = ScriptedNameServer::with_addresses(query, good, 60);
    other_owner[7] = 2;
    const std::uint8_t record[] = {4, 'b', 'a', 'n', 'k', 4, 't', 'e', 's', 't', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 66};
    other_owner.insert(other_owner.end(), std::begin(record), std::end(record));
    answers.push_back(other_owner);
    return answers;
  });
  const auto dns = resolver(server.address(), {.timeout = 5s});
  const auto answer = look_up(*dns, {RecordType::A, "a.test"});
  ASSERT_THAT(answer->addresses, SizeIs(1));
  EXPECT_EQ(answer->addresses[0].ip_text(), "127.0.0.1");
  EXPECT_EQ(dns->find({RecordType::A, "bank.test"}), nullptr);
}

TEST(Resolver, GarbageIsAFailure) {
  ScriptedNameServer server([&](const auto& query) {
    auto bytes = ScriptedNameServer::answer(query, 0x8180);
    bytes[7] = 200;  // so many records, and there is none
    bytes.insert(bytes.end(), 100, 0xC0);
    return Replies{bytes};
  });
  const auto dns = resolver(server.address(), {.timeout = 200ms, .tries = 1});
  EXPECT_EQ(look_up(*dns, {RecordType::A, "a.test"})->kind, Answer::Kind::Failed);
  EXPECT_EQ(dns->counters().malformed, 1U);
}

// A caller has us look up one name of his after the other, and his server never answers.
TEST(Resolver, ManyNamesOfOneDomainDoNotHinderOthers) {
  const std::string addresses[] = {"127.0.0.1"};
  ScriptedNameServer server([&](const ScriptedNameServer::Bytes& query) {
    const std::string text(query.begin(), query.end());
    if (text.find("evil") != std::string::npos) return Replies{};
    return Replies{ScriptedNameServer::with_addresses(query, addresses, 60)};
  });
  const auto dns =
      resolver(server.address(), {.timeout = 30s, .queries_max = 50, .queries_of_domain_max = 10, .searches_of_asker_max = 40});
  std::atomic<int> ended = 0;
  int begun = 0;
  for (int i = 0; i < 100; ++i)
    begun += dns->search({.destinations = {{.host = "x" + std::to_string(i) + ".evil.test", .port = 5060}},
                          .reach = udp_and_tcp(),
                          .policy = {},
                          .timeout = 60s,
                          .asker = 1,
                          .done = [&](const auto&) { ++ended; }});
  EXPECT_GE(begun, 40);
  EXPECT_THAT(located(*dns, "sip:good.other.test:5060"), ElementsAre("udp 127.0.0.1:5060"));
  EXPECT_EQ(open_queries_come_down_to(*dns, 10), 10U);
  const auto counters = dns->counters();
  EXPECT_EQ(counters.refused_domain + counters.searches_refused, 90U);
  EXPECT_EQ(counters.refused, 0U);
}

TEST(Resolver, NamesOfTheHostsFileNeedNoServer) {
  const auto path = std::filesystem::temp_directory_path() / ("perdure-hosts-" + std::to_string(getpid()));
  std::ofstream(path) << "# comment\n127.0.0.21 gateway.test gw  # both\n::1 gateway.test\nrubbish\n0.0.0.0 blocked.test\n";
  ScriptedNameServer silent([](const auto&) { return Replies{}; });
  ResolverOptions options;
  options.hosts_file = path;
  const auto dns = resolver(silent.address(), options);
  std::filesystem::remove(path);
  EXPECT_THAT(look_up(*dns, {RecordType::A, "gateway.test"})->addresses, SizeIs(1));
  EXPECT_THAT(look_up(*dns, {RecordType::Aaaa, "gateway.test"})->addresses, SizeIs(1));
  EXPECT_THAT(look_up(*dns, {RecordType::A, "gw"})->addresses, SizeIs(1));
  EXPECT_EQ(silent.queries(), 0);
}

TEST(Resolver, EndsWhatIsOpenWhenItStops) {
  ScriptedNameServer silent([](const auto&) { return Replies{}; });
  auto dns = resolver(silent.address(), {.timeout = 30s});
  std::atomic<int> ended = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(dns->search({.destinations = {{.host = "h" + std::to_string(i) + ".test", .port = 5060}},
                             .reach = udp_and_tcp(),
                             .policy = {},
                             .timeout = 60s,
                             .asker = 0,
                             .done = [&](const auto&) { ++ended; }}));
    dns->look_up({RecordType::A, "l" + std::to_string(i) + ".test"}, [&](const AnswerPointer&) { ++ended; });
  }
  dns.reset();
  EXPECT_EQ(ended, 20);
}

TEST(Resolver, AListOfServersThatIsNoneIsAnError) {
  EXPECT_FALSE(Resolver::create(ResolverOptions{.servers = {"no address"}}).has_value());
}

}  // namespace
}  // namespace perdure::net
