// One call out of the rings: in order, every message once, with the start of the engine in between.
#include "trace/call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "trace/hep.hpp"

namespace perdure::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const SocketAddress caller = *SocketAddress::parse("192.0.2.10", 5060), gateway = *SocketAddress::parse("192.0.2.20", 5070),
                    own = *SocketAddress::parse("192.0.2.1", 5060);

std::string request(std::string_view method, std::string_view call_id = "c1") {
  return std::string(method) + " sip:bob@example.org SIP/2.0\r\nCall-ID: " + std::string(call_id) + "\r\nCSeq: 1 " + std::string(method) +
         "\r\n\r\n";
}
std::string response(std::string_view line, std::string_view method) {
  return "SIP/2.0 " + std::string(line) + "\r\ni : c1 \r\nCSeq: 1 " + std::string(method) + "\r\n\r\n";
}

class CallTest : public testing::Test {
 protected:
  CallTest() {
    setenv("TZ", "UTC", 1);
    tzset();
    char name[] = "/tmp/perdure-call-XXXXXX";
    folder_ = mkdtemp(name);
    file_ = std::move(*RingFile::open(folder_ + "/ring", 2, 1 << 20));
    for (std::uint32_t i = 0; i < 2; ++i) writers_.emplace_back(file_->ring(i));
  }
  ~CallTest() override { std::filesystem::remove_all(folder_); }

  void in(const SocketAddress& from, const std::string& bytes, std::uint64_t id, std::size_t ring = 0) {
    writers_[ring].append({.kind = EntryKind::Received, .id = id, .wall_us = time_ += 1000, .remote = from, .local = own, .bytes = bytes});
  }
  void out(const SocketAddress& to, const std::string& bytes, std::size_t ring = 0) {
    writers_[ring].append({.kind = EntryKind::Sent, .wall_us = time_ += 1000, .remote = to, .local = own, .bytes = bytes});
  }
  void start(std::uint64_t id) {
    time_ += 1000;
    for (auto& writer : writers_)
      writer.append({.kind = EntryKind::Start,
                     .id = id,
                     .wall_us = time_,
                     .remote = {},
                     .local = {},
                     .bytes = "the engine was killed, the next one goes on"});
  }
  void cancelled_call() {
    start(1);
    in(caller, request("INVITE"), 1);
    out(caller, response("100 Trying", "INVITE"));
    out(gateway, request("INVITE"));
    in(caller, request("INVITE", "another"), 2);
    in(gateway, response("180 Ringing", "INVITE"), 3);
    start(2);
    in(gateway, response("180 Ringing", "INVITE"), 3);  // the next engine does it again
    out(caller, response("180 Ringing", "INVITE"));
    in(caller, request("CANCEL"), 4, 1);  // another number of workers: another ring
    out(caller, response("200 OK", "CANCEL"), 1);
    out(gateway, request("CANCEL"), 1);
    start(3);
  }

  std::string folder_;
  std::unique_ptr<RingFile> file_;
  std::vector<RingWriter> writers_;
  std::int64_t time_ = 1'800'000'000'000'000;
};

TEST_F(CallTest, EveryMessageOnceInOrder) {
  cancelled_call();
  std::vector<std::string> lines;
  for (const auto& one : messages_of(*file_, "c1", 100)) lines.push_back(one.bytes.substr(0, one.bytes.find('\r')));
  EXPECT_THAT(lines, ElementsAre("INVITE sip:bob@example.org SIP/2.0", "SIP/2.0 100 Trying", "INVITE sip:bob@example.org SIP/2.0",
                                 "SIP/2.0 180 Ringing", "the engine was killed, the next one goes on", "SIP/2.0 180 Ringing",
                                 "CANCEL sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK", "CANCEL sip:bob@example.org SIP/2.0"));
  EXPECT_TRUE(messages_of(*file_, "c", 100).empty());
  EXPECT_EQ(messages_of(*file_, "c1", 2).size(), 2U);
}

TEST_F(CallTest, TheLadderIsDrawnBetweenThePeers) {
  cancelled_call();
  const std::string text = ladder(messages_of(*file_, "c1", 100));
  EXPECT_THAT(text, testing::StartsWith("                  udp:192.0.2.10:5060              perdure              udp:192.0.2.20:5070\n"
                                        "08:00:00.002               |--------- INVITE -------->|                          |\n"));
  EXPECT_THAT(text, HasSubstr("|<------ 100 Trying -------|"));
  EXPECT_THAT(text, HasSubstr("|                          |--------- INVITE -------->|\n"));
  EXPECT_THAT(text, HasSubstr("=== the engine was killed, the next one goes on ===\n"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 10);
}

TEST_F(CallTest, WhatPeersSendSteersNoTerminal) {
  in(caller, "IN\x1b[2JVITE sip:a SIP/2.0\r\nCall-ID: c1\r\n\r\n", 1);
  EXPECT_EQ(ladder(messages_of(*file_, "c1", 100)).find('\x1b'), std::string::npos);
}

TEST_F(CallTest, ACaptureFileHasADatagramForEachMessage) {
  cancelled_call();
  const auto entries = messages_of(*file_, "c1", 100);
  const std::string file = pcap(entries);
  std::size_t at = 24, packets = 0;
  while (at < file.size()) {
    std::uint32_t length = 0;
    std::memcpy(&length, file.data() + at + 8, 4);
    const std::string packet = file.substr(at + 16, length);
    EXPECT_EQ(packet[0], '\x45');
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 20; i += 2)
      sum += static_cast<std::uint32_t>(static_cast<unsigned char>(packet[i]) << 8 | static_cast<unsigned char>(packet[i + 1]));
    EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU) << "the checksum of the header";
    EXPECT_THAT(packet.substr(28), HasSubstr("c1"));
    at += 16 + length;
    ++packets;
  }
  EXPECT_EQ(at, file.size());
  EXPECT_EQ(packets, entries.size() - 1) << "all but the start of the engine";
}

TEST(CallId, InEveryForm) {
  EXPECT_EQ(call_id_of("A\r\nCALL-ID:x@y\r\n\r\n"), "x@y");
  EXPECT_EQ(call_id_of("A\r\nTo: i: no\r\ni:\t z \r\n\r\n"), "z");
  EXPECT_EQ(call_id_of("A\nCall-ID: \n\n"), "");
  EXPECT_EQ(call_id_of("A\r\n\r\nCall-ID: body\r\n"), "");
  EXPECT_EQ(call_id_of(""), "");
  EXPECT_EQ(call_id_of("A\r\nCall-ID"), "");
}

std::size_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]) << 8 | static_cast<unsigned char>(bytes[at + 1]));
}

// By type.
std::map<std::size_t, std::string> chunks_of(std::string_view packet) {
  std::map<std::size_t, std::string> chunks;
  for (std::size_t at = 6; at < packet.size(); at += number_at(packet, at + 4)) {
    EXPECT_EQ(number_at(packet, at), 0U);
    chunks[number_at(packet, at + 2)] = packet.substr(at + 6, number_at(packet, at + 4) - 6);
  }
  return chunks;
}

TEST(Hep, APacketHasTheChunksThatACollectorReads) {
  HepOptions options;
  options.capture_id = 7;
  options.password = "pw";
  const std::string message = request("INVITE");
  const Entry entry{
      .kind = EntryKind::Received, .transport = Transport::Tcp, .wall_us = 5'000'006, .remote = caller, .local = own, .bytes = message};
  std::string packet;
  append_hep(entry, options, packet);
  ASSERT_EQ(packet.substr(0, 4), "HEP3");
  EXPECT_EQ(number_at(packet, 4), packet.size());
  auto chunks = chunks_of(packet);
  EXPECT_EQ(chunks[1], "\x02");
  EXPECT_EQ(chunks[2], "\x06");
  EXPECT_EQ(chunks[3], "\xc0" + std::string("\0\2\x0a", 3));
  EXPECT_EQ(chunks[4], "\xc0" + std::string("\0\2\1", 3));
  EXPECT_EQ(chunks[7], "\x13\xc4");
  EXPECT_EQ(chunks[9], std::string("\0\0\0\5", 4));
  EXPECT_EQ(chunks[10], std::string("\0\0\0\6", 4));
  EXPECT_EQ(chunks[11], "\x01");
  EXPECT_EQ(chunks[12], std::string("\0\0\0\7", 4));
  EXPECT_EQ(chunks[14], "pw");
  EXPECT_EQ(chunks[15], message);
  EXPECT_EQ(chunks[17], "c1");
  EXPECT_EQ(chunks.count(19), 0U);
}

TEST(Hep, PacketsFollowEachOtherAndNameAddressesOfIPv6) {
  const auto six = *SocketAddress::parse("2001:db8::5", 5070), other = *SocketAddress::parse("2001:db8::6", 5080);
  HepOptions options;
  options.node_name = "edge-1";
  std::string packets;
  append_hep({.kind = EntryKind::Start, .remote = {}, .local = {}, .bytes = "an engine starts"}, options, packets);
  EXPECT_TRUE(packets.empty());
  const std::string message = request("INVITE");
  for (int i = 0; i < 2; ++i) append_hep({.kind = EntryKind::Sent, .remote = six, .local = other, .bytes = message}, options, packets);
  const std::size_t first = number_at(packets, 4);
  ASSERT_EQ(packets.size(), 2 * first);
  EXPECT_EQ(packets.substr(0, first), packets.substr(first));
  auto chunks = chunks_of(std::string_view(packets).substr(0, first));
  EXPECT_EQ(chunks[1], "\x0a");
  EXPECT_EQ(chunks[2], "\x11");
  EXPECT_EQ(chunks[5], std::string(reinterpret_cast<const char*>(other.ip.data()), 16));
  EXPECT_EQ(chunks[6], std::string(reinterpret_cast<const char*>(six.ip.data()), 16));
  EXPECT_EQ(chunks[7], "\x13\xd8");
  EXPECT_EQ(chunks[8], "\x13\xce");
  EXPECT_EQ(chunks[19], "edge-1");
  EXPECT_EQ(chunks[15], message);
}

}  // namespace
}  // namespace perdure::trace
