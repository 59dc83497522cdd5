#include "edge/connections/websocket.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace perdure::edge {
namespace {

using Kind = WebFrame::Kind;

// As a client sends it.
std::string masked(unsigned first_byte, std::string payload) {
  std::string frame(1, static_cast<char>(first_byte));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size());
  }
  const std::string mask = "\x12\x34\x56\x78";
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame + mask + payload;
}

std::string upgrade_request(std::string_view more = "Sec-WebSocket-Protocol: sip\r\n", std::string_view line = "GET /ws HTTP/1.1") {
  return std::string(line) +
         "\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(more) + "\r\n";
}

TEST(WebSocket, AcceptsWhoOffersSip) {
  const std::string request = upgrade_request("Sec-WebSocket-Protocol: chat, sip\r\nOrigin: https://phone.example.org\r\n");
  const auto result = read_upgrade(request + "\x81", {"https://phone.example.org"});
  ASSERT_EQ(result.kind, UpgradeResult::Kind::Accepted);
  EXPECT_EQ(result.consumed, request.size());
  EXPECT_TRUE(result.reply.starts_with("HTTP/1.1 101 "));
  // The example of RFC 6455 1.3.
  EXPECT_NE(result.reply.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos);
  EXPECT_NE(result.reply.find("Sec-WebSocket-Protocol: sip\r\n"), std::string::npos);
  for (std::size_t size = 0; size < request.size(); ++size)
    EXPECT_EQ(read_upgrade(std::string_view(request).substr(0, size), {}).kind, UpgradeResult::Kind::NeedMore) << size;
}

TEST(WebSocket, RefusesOthersAndSaysWhy) {
  const auto refusal = [](const std::string& request, const std::vector<std::string>& origins = {}) {
    const auto result = read_upgrade(request, origins);
    EXPECT_EQ(result.kind, UpgradeResult::Kind::Refused) << request;
    return result.reply.substr(9, 3);
  };
  EXPECT_EQ(refusal(upgrade_request("Sec-WebSocket-Protocol: chat\r\n")), "400");
  EXPECT_EQ(refusal(upgrade_request("")), "400") << "RFC 7118 4.1";
  EXPECT_EQ(refusal(upgrade_request(), {"https://phone.example.org"}), "403");
  EXPECT_EQ(refusal(upgrade_request("Sec-WebSocket-Protocol: sip\r\nOrigin: https://evil.example\r\n"), {"https://phone.example.org"}),
            "403");
  EXPECT_EQ(refusal(upgrade_request("Sec-WebSocket-Protocol: sip\r\n", "POST / HTTP/1.1")), "405");
  EXPECT_EQ(refusal(upgrade_request("Sec-WebSocket-Protocol: sip\r\n", "GET / HTTP/1.0")), "505");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "426");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nno colon\r\n\r\n"), "400");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x')), "431");
  EXPECT_EQ(refusal("\r\n\r\n"), "400");
}

TEST(WebSocket, ReadsMessagesInAnyPieces) {
  std::string stream = masked(0x81, "first") + masked(0x82, std::string(300, 'b')) + masked(0x01, "in ") + masked(0x89, "ping") +
                       masked(0x00, "three ") + masked(0x80, "parts");
  WebSocket web(1000);
  std::vector<std::string> messages, answers;
  std::string buffer;
  for (const char byte : stream) {
    buffer += byte;
    while (true) {
      const WebFrame frame = web.next(buffer);
      if (frame.kind == Kind::NeedMore) break;
      if (frame.kind == Kind::Message) messages.emplace_back(frame.message);
      if (frame.kind == Kind::Answer) answers.push_back(frame.answer);
      buffer.erase(0, frame.consumed);
    }
  }
  EXPECT_EQ(messages, (std::vector<std::string>{"first", std::string(300, 'b'), "in three parts"}));
  EXPECT_EQ(answers, (std::vector<std::string>{std::string("\x8A\x04ping")}));
}

TEST(WebSocket, EndsWhatDoesNotKeepToTheProtocol) {
  const auto failure = [](std::string frames) {
    WebSocket web(100);
    for (std::string_view rest = frames; true;) {
      const WebFrame frame = web.next({frames.data() + (frames.size() - rest.size()), rest.size()});
      if (frame.kind == Kind::Close && frame.failed)
        return static_cast<unsigned char>(frame.answer[2]) << 8 | static_cast<unsigned char>(frame.answer[3]);
      if (frame.kind == Kind::NeedMore) return 0;
      rest.remove_prefix(frame.consumed);
    }
  };
  EXPECT_EQ(failure("\x81\x05hello"), 1002) << "not masked";
  EXPECT_EQ(failure(masked(0xC1, "x")), 1002) << "an extension that was not agreed on";
  EXPECT_EQ(failure(masked(0x83, "x")), 1002) << "an unknown kind";
  EXPECT_EQ(failure(masked(0x80, "x")), 1002) << "goes on with nothing";
  EXPECT_EQ(failure(masked(0x01, "x") + masked(0x81, "x")), 1002) << "begins in the middle";
  EXPECT_EQ(failure(masked(0x09, "x")), 1002) << "a ping in parts";
  EXPECT_EQ(failure(masked(0x89, std::string(126, 'x'))), 1002) << "a long ping";
  EXPECT_EQ(failure(masked(0x81, std::string(101, 'x'))), 1009);
  EXPECT_EQ(failure(masked(0x01, std::string(60, 'x')) + masked(0x80, std::string(60, 'x'))), 1009);
  EXPECT_EQ(failure("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), 1009);
}

TEST(WebSocket, GivesTheReasonOfACloseBack) {
  WebSocket web(100);
  std::string close = masked(0x88, "\x03\xE8 bye");
  const WebFrame frame = web.next(close);
  EXPECT_EQ(frame.kind, Kind::Close);
  EXPECT_FALSE(frame.failed);
  EXPECT_EQ(frame.answer, "\x88\x02\x03\xE8");
}

TEST(WebSocket, SendsTextWhereItIsText) {
  EXPECT_EQ(WebSocket::header_of("SIP/2.0 200 OK"), "\x81\x0E");
  EXPECT_EQ(static_cast<unsigned char>(WebSocket::header_of("Gr\xC3\xBC\xC3\x9F")[0]), 0x81);
  for (const char* bytes : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80", "\xC3("})
    EXPECT_EQ(static_cast<unsigned char>(WebSocket::header_of(bytes)[0]), 0x82) << bytes;
  EXPECT_EQ(WebSocket::header_of(std::string(300, 'x')), std::string("\x81\x7E\x01\x2C"));
  EXPECT_EQ(WebSocket::header_of(std::string(70'000, 'x')), std::string("\x81\x7F\x00\x00\x00\x00\x00\x01\x11\x70", 10));
}

}  // namespace
}  // namespace perdure::edge
