#include "locate/dns_message.hpp"

#include <gtest/gtest.h>

namespace perdure::locate {
namespace {

// Writes answers as a server would, or as one would not.
class Packet {
 public:
  explicit Packet(std::uint16_t flags = 0x8180) : bytes_(12) { set(2, flags); }
  Packet& name(std::string_view text) {
    while (!text.empty()) {
      const auto label = text.substr(0, text.find('.'));
      bytes_.push_back(static_cast<std::uint8_t>(label.size()));
      bytes_.insert(bytes_.end(), label.begin(), label.end());
      text.remove_prefix(std::min(text.size(), label.size() + 1));
    }
    bytes_.push_back(0);
    return *this;
  }
  Packet& u16(unsigned value) {
    bytes_.push_back(static_cast<std::uint8_t>(value >> 8));
    bytes_.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
  Packet& u32(std::uint32_t value) { return u16(value >> 16).u16(value & 0xFFFF); }
  Packet& raw(std::initializer_list<int> bytes) {
    for (const int byte : bytes) bytes_.push_back(static_cast<std::uint8_t>(byte));
    return *this;
  }
  Packet& question(std::string_view text, RecordType type) {
    set(4, 1);
    return name(text).u16(static_cast<unsigned>(type)).u16(1);
  }
  // The header of a record; its data follow, and end() says how many.
  Packet& record(std::string_view owner, unsigned type, std::uint32_t ttl, unsigned section = 6) {
    name(owner);
    set(section, get(section) + 1U);
    u16(type).u16(1).u32(ttl).u16(0);
    data_ = bytes_.size();
    return *this;
  }
  Packet& end() {
    set(data_ - 2, static_cast<unsigned>(bytes_.size() - data_));
    return *this;
  }
  Packet& a(std::string_view owner, std::uint32_t ttl, int last) { return record(owner, 1, ttl).raw({192, 0, 2, last}).end(); }
  Packet& cname(std::string_view owner, std::string_view target, std::uint32_t ttl = 60) {
    return record(owner, 5, ttl).name(target).end();
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  void set(std::size_t at, unsigned value) {
    bytes_[at] = static_cast<std::uint8_t>(value >> 8);
    bytes_[at + 1] = static_cast<std::uint8_t>(value);
  }
  [[nodiscard]] unsigned get(std::size_t at) const { return static_cast<unsigned>(bytes_[at] << 8 | bytes_[at + 1]); }
  std::vector<std::uint8_t> bytes_;
  std::size_t data_ = 0;
};

const Question host{RecordType::A, "h.test"};

TEST(DnsMessage, Addresses) {
  Packet packet;
  packet.question("h.test", RecordType::A).a("H.TEST", 300, 1).a("h.test", 200, 2);
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Answer::Kind::Records);
  ASSERT_EQ(answer->addresses.size(), 2U);
  EXPECT_EQ(answer->addresses[1].ip_text(), "192.0.2.2");
  EXPECT_EQ(answer->ttl, 200s);
}

TEST(DnsMessage, RecordsOfOtherNamesAreNotTaken) {
  Packet packet;
  packet.question("h.test", RecordType::A).a("bank.test", 300, 66).a("h.test", 300, 1);
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->addresses.size(), 1U);
  EXPECT_EQ(answer->addresses[0].ip_text(), "192.0.2.1");
}

TEST(DnsMessage, AddressesThatAreNoHostAreLeftOut) {
  Packet packet;
  packet.question("h.test", RecordType::A).record("h.test", 1, 60).raw({0, 0, 0, 0}).end();
  packet.record("h.test", 1, 60).raw({224, 0, 0, 1}).end().record("h.test", 1, 60).raw({1, 2, 3}).end().a("h.test", 60, 7);
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->addresses.size(), 1U);
  EXPECT_EQ(answer->left_out, 3U);
}

TEST(DnsMessage, Services) {
  const Question question{RecordType::Srv, "_sip._udp.h.test"};
  Packet packet;
  packet.question(question.name, question.type);
  packet.record(question.name, 33, 60).u16(10).u16(60).u16(5060).name("a.h.test").end();
  packet.record(question.name, 33, 60).u16(0).u16(0).u16(0).name("").end();
  packet.record(question.name, 33, 60).u16(0).u16(0).u16(0).name("port.zero.test").end();
  packet.record(question.name, 33, 60).u16(0).u16(0).u16(5060).name("bad\r\nname.test").end();
  const auto answer = read_answer(packet.bytes(), question);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->services, (std::vector<Service>{{10, 60, 5060, "a.h.test"}, {0, 0, 0, ""}}));
  EXPECT_EQ(answer->left_out, 2U);
}

TEST(DnsMessage, Pointers) {
  const Question question{RecordType::Naptr, "h.test"};
  Packet packet;
  packet.question(question.name, question.type).record("h.test", 35, 60).u16(50).u16(60);
  packet.raw({1, 's', 7, 'S', 'I', 'P', '+', 'D', '2', 'U', 0}).name("_sip._udp.h.test").end();
  const auto answer = read_answer(packet.bytes(), question);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->pointers, (std::vector<Pointer>{{50, 60, "s", "SIP+D2U", "", "_sip._udp.h.test"}}));
}

TEST(DnsMessage, FollowsAliasesInAnyOrder) {
  Packet packet;
  packet.question("h.test", RecordType::A).a("c.test", 300, 3).cname("b.test", "c.test", 20).cname("h.test", "b.test", 50);
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->addresses.size(), 1U);
  EXPECT_EQ(answer->ttl, 20s);
}

TEST(DnsMessage, AnAliasWhoseAddressIsElsewhere) {
  Packet packet;
  packet.question("h.test", RecordType::A).cname("h.test", "other.example");
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Answer::Kind::None);
  EXPECT_EQ(answer->alias, "other.example");
}

TEST(DnsMessage, AliasesInACircleEnd) {
  Packet packet;
  packet.question("h.test", RecordType::A).cname("h.test", "b.test").cname("b.test", "h.test");
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Answer::Kind::None);
}

TEST(DnsMessage, ThatThereIsNoneForHowLong) {
  Packet packet(0x8183);
  packet.question("h.test", RecordType::A);
  packet.record("test", 6, 900, 8).name("ns.test").name("admin.test").u32(1).u32(2).u32(3).u32(4).u32(120).end();
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->kind, Answer::Kind::None);
  EXPECT_EQ(answer->ttl, 120s);
  Packet silent(0x8183);
  silent.question("h.test", RecordType::A);
  EXPECT_LT(read_answer(silent.bytes(), host)->ttl, 0s);
}

TEST(DnsMessage, LargeSetsAreCut) {
  Packet packet;
  packet.question("h.test", RecordType::A);
  for (int i = 1; i <= 200; ++i) packet.a("h.test", 60, i);
  const auto answer = read_answer(packet.bytes(), host);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->addresses.size(), records_max);
  EXPECT_EQ(answer->left_out, 200 - records_max);
}

TEST(DnsMessage, PointersOfNamesLeadBackOnly) {
  // A name that points to itself, and one that points ahead.
  for (const int target : {24, 60}) {
    Packet packet;
    packet.question("h.test", RecordType::A);
    ASSERT_EQ(packet.size(), 24U);
    packet.record("", 1, 60).raw({192, 0, 2, 1}).end();
    std::vector<std::uint8_t> bytes(packet.bytes().begin(), packet.bytes().end());
    bytes[24] = 0xC0;
    bytes.insert(bytes.begin() + 25, static_cast<std::uint8_t>(target));
    EXPECT_FALSE(read_answer(bytes, host).has_value()) << target;
  }
}

TEST(DnsMessage, EveryCutIsRefusedOrTakenWhole) {
  Packet packet;
  packet.question("h.test", RecordType::A).cname("h.test", "b.test").a("b.test", 60, 1);
  for (std::size_t size = 0; size < packet.size(); ++size) EXPECT_FALSE(read_answer(packet.bytes().first(size), host).has_value()) << size;
  EXPECT_FALSE(read_answer(Packet(0x0100).bytes(), host).has_value()) << "a query";
}

}  // namespace
}  // namespace perdure::locate
