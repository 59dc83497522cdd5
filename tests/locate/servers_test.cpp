#include "locate/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace perdure::locate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// "A host 192.0.2.1", "SRV name priority weight port target", "NAPTR name order preference flags service replacement". What does not
// stand there does not exist.
class Zone final : public Answers {
 public:
  explicit Zone(std::initializer_list<std::string_view> lines) {
    for (const auto line : lines) {
      std::vector<std::string> words;
      for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        words.emplace_back(line.substr(at, end - at));
        at = end + 1;
      }
      const auto type = *record_type_from(words[0]);
      Answer& answer = records_[words[0] + " " + words[1]];
      answer.kind = Answer::Kind::Records;
      const auto number = [&](std::size_t i) { return static_cast<std::uint16_t>(std::stoi(words[i])); };
      if (type == RecordType::A || type == RecordType::Aaaa) answer.addresses.push_back(*SocketAddress::parse(words[2], 0));
      if (type == RecordType::Srv) answer.services.push_back({number(2), number(3), number(4), words[5] == "." ? std::string() : words[5]});
      if (type == RecordType::Naptr) answer.pointers.push_back({number(2), number(3), words[4], words[5], "", words[6]});
    }
  }
  AnswerPointer find(const Question& question) override {
    const std::string key = std::string(name(question.type)) + " " + question.name;
    asked.push_back(key);
    if (unknown == key) return nullptr;
    const auto found = records_.find(key);
    if (found != records_.end()) return std::make_shared<const Answer>(found->second);
    auto none = std::make_shared<Answer>();
    none->kind = Answer::Kind::None;
    return none;
  }
  std::vector<std::string> asked;
  std::string unknown;

 private:
  std::map<std::string, Answer> records_;
};

Reach everything() {
  Reach reach;
  for (const auto transport : {Transport::Udp, Transport::Tcp, Transport::Tls})
    for (const auto family : {Family::IPv4, Family::IPv6}) reach.add(transport, family);
  return reach;
}
Reach udp4() {
  Reach reach;
  reach.add(Transport::Udp, Family::IPv4);
  return reach;
}

std::vector<std::string> texts(const Servers& servers) {
  std::vector<std::string> out;
  for (const auto& one : servers.servers) out.push_back(std::string(perdure::name(one.transport)) + " " + one.address.text());
  return out;
}

std::vector<std::string> located(std::string_view uri, Answers& zone, const Reach& reach = everything(), const Policy& policy = {},
                                 std::uint64_t random = 1) {
  const auto parsed = sip::Uri::parse(uri);
  if (!parsed) return {"no URI"};
  const auto destination = Destination::of(*parsed);
  if (!destination) return {"no destination"};
  const Servers servers = locate(*destination, reach, policy, zone, random);
  EXPECT_THAT(servers.missing, IsEmpty());
  return texts(servers);
}

struct Case {
  const char* rfc;
  const char* uri;
  std::vector<std::string> expected;
};

const Zone& zone() {
  static const Zone made{
      // All three services, the best of them TLS.
      "NAPTR all.test 50 50 s SIPS+D2T _sips._tcp.all.test",
      "NAPTR all.test 90 50 s SIP+D2T _sip._tcp.all.test",
      "NAPTR all.test 100 50 s SIP+D2U _sip._udp.all.test",
      "SRV _sips._tcp.all.test 0 1 5061 a.all.test",
      "SRV _sip._tcp.all.test 0 1 5060 a.all.test",
      "SRV _sip._udp.all.test 0 1 5070 b.all.test",
      "A a.all.test 192.0.2.1",
      "A b.all.test 192.0.2.2",
      // NAPTR that nobody here understands: another flag, a rewriting, another service.
      "NAPTR odd.test 1 1 u E2U+sip _sip._udp.odd.test",
      "NAPTR odd.test 2 1 a SIP+D2U host.odd.test",
      "SRV _sip._udp.odd.test 0 1 5080 host.odd.test",
      "A host.odd.test 192.0.2.3",
      // SRV only, two services.
      "SRV _sip._tcp.srv.test 0 1 5062 h.srv.test",
      "SRV _sips._tcp.srv.test 0 1 5063 h.srv.test",
      "A h.srv.test 192.0.2.4",
      // Priorities.
      "SRV _sip._udp.prio.test 20 1 5060 second.prio.test",
      "SRV _sip._udp.prio.test 10 1 5060 first.prio.test",
      "SRV _sip._udp.prio.test 30 0 5060 gone.prio.test",
      "A first.prio.test 192.0.2.11",
      "A second.prio.test 192.0.2.12",
      // An address only, of both families.
      "A plain.test 192.0.2.5",
      "AAAA plain.test 2001:db8::5",
      // Decidedly no service.
      "SRV _sip._udp.none.test 0 0 0 .",
      "A none.test 192.0.2.6",
      // One service is not offered, another is.
      "SRV _sip._udp.half.test 0 0 0 .",
      "SRV _sip._tcp.half.test 0 1 5060 plain.test",
      "A half.test 192.0.2.7",
      // NAPTR whose SRV does not exist.
      "NAPTR broken.test 1 1 s SIP+D2U _sip._udp.elsewhere.test",
      "A broken.test 192.0.2.8",
      // The second NAPTR has servers.
      "NAPTR next.test 1 1 s SIP+D2U _sip._udp.elsewhere.test",
      "NAPTR next.test 1 2 S sip+d2t _sip._tcp.srv.test",
  };
  return made;
}

TEST(LocateServers, ByTheCasesOfRfc3263) {
  const Case cases[] = {
      {"4.2 numeric", "sip:192.0.2.9", {"udp 192.0.2.9:5060"}},
      {"4.2 numeric with port", "sip:192.0.2.9:5070", {"udp 192.0.2.9:5070"}},
      {"4.2 numeric, sips", "sips:192.0.2.9", {"tls 192.0.2.9:5061"}},
      {"4.2 numeric, IPv6", "sip:[2001:db8::1]", {"udp [2001:db8::1]:5060"}},
      {"4.1 transport", "sip:192.0.2.9;transport=tcp", {"tcp 192.0.2.9:5060"}},
      {"4.1 transport tls", "sip:192.0.2.9;transport=tls", {"tls 192.0.2.9:5061"}},
      {"4.1 sips over tcp is TLS", "sips:192.0.2.9;transport=tcp", {"tls 192.0.2.9:5061"}},
      {"4.1 sips over udp", "sips:192.0.2.9;transport=udp", {}},
      {"4.1 unknown transport", "sip:192.0.2.9;transport=sctp", {"no destination"}},
      {"4 maddr is the target", "sip:all.test;maddr=192.0.2.77", {"udp 192.0.2.77:5060"}},
      {"4.2 multicast", "sip:224.0.1.75", {}},
      {"4.1 port and no transport", "sip:plain.test:5080", {"udp 192.0.2.5:5080", "udp [2001:db8::5]:5080"}},
      {"4.1 port, sips", "sips:plain.test:5081", {"tls 192.0.2.5:5081", "tls [2001:db8::5]:5081"}},
      {"4.1 NAPTR: the best order", "sip:all.test", {"tls 192.0.2.1:5061"}},
      {"4.1 NAPTR: sips", "sips:all.test", {"tls 192.0.2.1:5061"}},
      {"4.1 transport given: no NAPTR", "sip:all.test;transport=udp", {"udp 192.0.2.2:5070"}},
      {"4.1 NAPTR that is not ours", "sip:odd.test", {"udp 192.0.2.3:5080"}},
      {"4.1 no NAPTR: SRV of each transport", "sip:srv.test", {"tcp 192.0.2.4:5062"}},
      {"4.1 no NAPTR, sips", "sips:srv.test", {"tls 192.0.2.4:5063"}},
      {"4.2 SRV of a transport", "sip:srv.test;transport=tls", {"tls 192.0.2.4:5063"}},
      {"2782 priorities; a target without address", "sip:prio.test", {"udp 192.0.2.11:5060", "udp 192.0.2.12:5060"}},
      {"4.1 nothing but addresses", "sip:plain.test", {"udp 192.0.2.5:5060", "udp [2001:db8::5]:5060"}},
      {"4.2 nothing but addresses, tcp", "sip:plain.test;transport=tcp", {"tcp 192.0.2.5:5060", "tcp [2001:db8::5]:5060"}},
      {"4.1 nothing but addresses, sips", "sips:plain.test", {"tls 192.0.2.5:5061", "tls [2001:db8::5]:5061"}},
      {"2782 a target of one dot", "sip:none.test", {}},
      {"2782 a dot for one of two", "sip:half.test", {"tcp 192.0.2.5:5060", "tcp [2001:db8::5]:5060"}},
      {"NAPTR leads nowhere", "sip:broken.test", {}},
      {"NAPTR: the next one", "sip:next.test", {"tcp 192.0.2.4:5062"}},
      {"no such name", "sip:nowhere.test", {}},
      {"case and a final dot", "sip:PLAIN.test.;transport=UDP", {"udp 192.0.2.5:5060", "udp [2001:db8::5]:5060"}},
      {"no name of the DNS", "sip:a..b", {}},
  };
  for (const auto& one : cases) {
    Zone answers = zone();
    EXPECT_EQ(located(one.uri, answers), one.expected) << one.rfc << ": " << one.uri;
  }
}

TEST(LocateServers, OnlyByTransportsAndFamiliesThatOurSocketsHave) {
  Zone answers = zone();
  EXPECT_THAT(located("sip:all.test", answers, udp4()), ElementsAre("udp 192.0.2.2:5070"));
  EXPECT_THAT(located("sip:plain.test", answers, udp4()), ElementsAre("udp 192.0.2.5:5060"));
  EXPECT_THAT(located("sips:all.test", answers, udp4()), IsEmpty());
  EXPECT_THAT(located("sip:192.0.2.1;transport=tcp", answers, udp4()), IsEmpty());
  EXPECT_THAT(located("sip:[2001:db8::1]", answers, udp4()), IsEmpty());
  for (const auto& asked : answers.asked) EXPECT_FALSE(asked.starts_with("AAAA")) << asked;
}

TEST(LocateServers, PolicyLeavesOutNaptrAndSrvAndPrefersAFamily) {
  Zone answers = zone();
  EXPECT_THAT(located("sip:all.test", answers, everything(), {.use_naptr = false}), ElementsAre("udp 192.0.2.2:5070"));
  EXPECT_THAT(located("sip:half.test", answers, everything(), {.use_naptr = false, .use_srv = false}), ElementsAre("udp 192.0.2.7:5060"));
  EXPECT_THAT(located("sip:plain.test", answers, everything(), {.prefer_ipv6 = true}),
              ElementsAre("udp [2001:db8::5]:5060", "udp 192.0.2.5:5060"));
}

TEST(LocateServers, SaysWhatIsMissingStepByStep) {
  const auto destination = *Destination::of(*sip::Uri::parse("sip:all.test"));
  const auto missing = [&](std::string unknown) {
    Zone answers = zone();
    answers.unknown = std::move(unknown);
    const Servers servers = locate(destination, everything(), {}, answers, 1);
    EXPECT_THAT(servers.servers, IsEmpty());
    std::vector<std::string> out;
    for (const auto& one : servers.missing) out.push_back(std::string(name(one.type)) + " " + one.name);
    return out;
  };
  EXPECT_THAT(missing("NAPTR all.test"), ElementsAre("NAPTR all.test"));
  EXPECT_THAT(missing("SRV _sips._tcp.all.test"), ElementsAre("SRV _sips._tcp.all.test"));
  EXPECT_THAT(missing("A a.all.test"), ElementsAre("A a.all.test"));

  class Nothing final : public Answers {
    AnswerPointer find(const Question& question) override {
      auto none = std::make_shared<Answer>();
      none->kind = Answer::Kind::None;
      return question.type == RecordType::Naptr ? none : nullptr;
    }
  } nothing;
  // The services are asked for at the same time.
  EXPECT_THAT(locate(destination, everything(), {}, nothing, 1).missing, SizeIs(3));
}

TEST(LocateServers, WeightsShareTheLoad) {
  Zone answers{"SRV _sip._udp.w.test 1 60 5060 a.w.test",
               "SRV _sip._udp.w.test 1 30 5060 b.w.test",
               "SRV _sip._udp.w.test 1 10 5060 c.w.test",
               "SRV _sip._udp.w.test 1 0 5060 d.w.test",
               "SRV _sip._udp.w.test 2 1000 5060 e.w.test",
               "A a.w.test 192.0.2.1",
               "A b.w.test 192.0.2.2",
               "A c.w.test 192.0.2.3",
               "A d.w.test 192.0.2.4",
               "A e.w.test 192.0.2.5"};
  std::map<std::string, int> first;
  constexpr int rounds = 10'000;
  for (std::uint64_t random = 0; random < rounds; ++random) {
    const auto order = located("sip:w.test;transport=udp", answers, udp4(), {}, random);
    ASSERT_THAT(order, SizeIs(5));
    EXPECT_EQ(order.back(), "udp 192.0.2.5:5060") << "another priority, whatever its weight";
    ++first[order.front()];
  }
  EXPECT_NEAR(first["udp 192.0.2.1:5060"], rounds * 0.6, rounds * 0.03);
  EXPECT_NEAR(first["udp 192.0.2.2:5060"], rounds * 0.3, rounds * 0.03);
  EXPECT_NEAR(first["udp 192.0.2.3:5060"], rounds * 0.1, rounds * 0.03);
  EXPECT_GT(first["udp 192.0.2.4:5060"], 0) << "weight 0: a very small chance (RFC 2782)";
  EXPECT_LT(first["udp 192.0.2.4:5060"], rounds * 0.03);
  EXPECT_EQ(located("sip:w.test", answers, udp4(), {}, 7), located("sip:w.test", answers, udp4(), {}, 7)) << "chance is an argument";
}

TEST(LocateServers, LargeAndRepeatedSetsAreCut) {
  std::vector<std::string> lines;
  for (int i = 0; i < 30; ++i) {
    lines.push_back("SRV _sip._udp.big.test 1 1 5060 h" + std::to_string(i) + ".big.test");
    lines.push_back("SRV _sip._udp.big.test 1 1 5060 h0.big.test");
    for (int j = 0; j < 30; ++j)
      lines.push_back("A h" + std::to_string(i) + ".big.test 192.0." + std::to_string(i) + "." + std::to_string(j + 1));
  }
  class Lines final : public Answers {
   public:
    explicit Lines(const std::vector<std::string>& given) {
      for (const auto& line : given) zones_.push_back(std::make_unique<Zone>(std::initializer_list<std::string_view>{line}));
    }
    AnswerPointer find(const Question& question) override {
      auto sum = std::make_shared<Answer>();
      sum->kind = Answer::Kind::None;
      for (const auto& zone : zones_) {
        const auto one = zone->find(question);
        if (one->kind != Answer::Kind::Records) continue;
        sum->kind = Answer::Kind::Records;
        sum->services.insert(sum->services.end(), one->services.begin(), one->services.end());
        sum->addresses.insert(sum->addresses.end(), one->addresses.begin(), one->addresses.end());
      }
      return sum;
    }

   private:
    std::vector<std::unique_ptr<Zone>> zones_;
  } answers(lines);
  const auto order = located("sip:big.test", answers, udp4());
  EXPECT_THAT(order, SizeIs(8));
  EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 8U);
}

TEST(LocateServers, AnswersOfASearchStandBeforeThoseOfTheCache) {
  AnswerSet own;
  const Question question{RecordType::A, "h.test"};
  EXPECT_EQ(own.find(question), nullptr);
  auto answer = std::make_shared<Answer>();
  answer->kind = Answer::Kind::None;
  own.put(question, answer);
  EXPECT_EQ(own.find(question)->kind, Answer::Kind::None);
  EXPECT_EQ(own.find({RecordType::Aaaa, "h.test"}), nullptr);
  own.complete();
  EXPECT_EQ(own.find({RecordType::Aaaa, "h.test"})->kind, Answer::Kind::Failed);
}

}  // namespace
}  // namespace perdure::locate
