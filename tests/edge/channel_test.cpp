#include "edge/channel.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace perdure::edge {
namespace {

// A channel and the raw other end of its socket pair.
struct Half {
  Half() {
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    channel.emplace(pair[0]);
    peer = pair[1];
  }
  ~Half() { hang_up(); }
  void hang_up() {
    if (peer >= 0) close(std::exchange(peer, -1));
  }
  void write_raw(std::string_view bytes) const { EXPECT_EQ(write(peer, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size())); }

  std::optional<Channel> channel;
  int peer = -1;
};

std::pair<Channel, Channel> channel_pair() {
  int pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  return {Channel(pair[0]), Channel(pair[1])};
}

std::string frame(std::uint32_t size, std::string_view rest) {
  std::string text(reinterpret_cast<const char*>(&size), sizeof size);
  return text.append(rest);
}

TEST(Channel, BringsMessagesInOrder) {
  auto [edge, engine] = channel_pair();
  ASSERT_TRUE(edge.send(Message::Attach, "killed"));
  ASSERT_TRUE(edge.send(Message::Reload));
  ASSERT_TRUE(engine.fill());
  const auto attach = engine.take(), reload = engine.take();
  ASSERT_TRUE(attach && reload);
  EXPECT_EQ(attach->type, Message::Attach);
  EXPECT_EQ(attach->payload, "killed");
  EXPECT_EQ(reload->type, Message::Reload);
  EXPECT_EQ(reload->payload, "");
  EXPECT_FALSE(engine.take());
  EXPECT_TRUE(engine.fill()) << "nothing to read is not an end";
}

TEST(Channel, PutsTogetherAMessageThatComesByteByByte) {
  Half half;
  const std::string whole = frame(6, "\x01hello") + frame(1, "\x05");
  std::vector<Channel::Received> received;
  for (const char byte : whole) {
    half.write_raw({&byte, 1});
    ASSERT_TRUE(half.channel->fill());
    while (auto message = half.channel->take()) received.push_back(std::move(*message));
  }
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].type, Message::Initialised);
  EXPECT_EQ(received[0].payload, "hello");
  EXPECT_EQ(received[1].type, Message::Stopped);
}

TEST(Channel, CarriesTheLargestPayloadThroughASmallSocketBuffer) {
  auto [edge, engine] = channel_pair();
  const std::string payload(channel_payload_bytes_max, 'x');
  ASSERT_TRUE(edge.send(Message::RpcRequest, payload));
  EXPECT_TRUE(edge.wants_write()) << "a socket buffer holds less than this";
  std::optional<Channel::Received> received;
  while (!received) {
    ASSERT_TRUE(edge.flush());
    ASSERT_TRUE(engine.fill());
    received = engine.take();
  }
  EXPECT_EQ(received->payload, payload);
  EXPECT_FALSE(edge.wants_write());
}

TEST(Channel, KeepsReadingAMixOfSmallAndLargeMessages) {
  auto [edge, engine] = channel_pair();
  std::size_t sent = 0, taken = 0;
  while (taken < 300) {
    while (sent < 300 && !edge.wants_write()) {
      ASSERT_TRUE(edge.send(Message::RpcRequest, std::string(sent * 977 % 60'000, static_cast<char>('a' + sent % 26))));
      ++sent;
    }
    ASSERT_TRUE(edge.flush());
    ASSERT_TRUE(engine.fill());
    while (const auto message = engine.take()) {
      EXPECT_EQ(message->payload, std::string(taken * 977 % 60'000, static_cast<char>('a' + taken % 26)));
      ++taken;
    }
  }
}

TEST(Channel, RefusesToSendWhatIsTooLongAndGoesOn) {
  auto [edge, engine] = channel_pair();
  EXPECT_FALSE(edge.send(Message::RpcRequest, std::string(channel_payload_bytes_max + 1, 'x')));
  EXPECT_FALSE(edge.wants_write());
  ASSERT_TRUE(edge.send(Message::Reload));
  ASSERT_TRUE(engine.fill());
  EXPECT_EQ(engine.take()->type, Message::Reload);
}

TEST(Channel, RefusesToQueueForAPeerThatDoesNotRead) {
  auto [edge, engine] = channel_pair();
  const std::string payload(channel_payload_bytes_max, 'x');
  int accepted = 0;
  while (accepted < 10 && edge.send(Message::RpcRequest, payload)) ++accepted;
  EXPECT_GE(accepted, 2);
  EXPECT_LT(accepted, 5);
}

TEST(Channel, RefusesAnOversizedMessageBeforeItsBodyComes) {
  Half half;
  half.write_raw(frame(channel_message_bytes_max + 1, "\x01"));
  EXPECT_FALSE(half.channel->fill());
  EXPECT_TRUE(half.channel->is_broken());
  EXPECT_FALSE(half.channel->take());
}

TEST(Channel, RefusesAnEmptyFrameButKeepsWhatCameBefore) {
  Half half;
  half.write_raw(frame(1, "\x05") + frame(0, ""));
  EXPECT_FALSE(half.channel->fill());
  EXPECT_TRUE(half.channel->is_broken());
  ASSERT_EQ(half.channel->take()->type, Message::Stopped);
  EXPECT_FALSE(half.channel->take());
}

TEST(Channel, TellsAnEndFromNonsense) {
  Half half;
  half.write_raw(frame(3, "\x04no"));
  half.hang_up();
  EXPECT_FALSE(half.channel->fill());
  EXPECT_FALSE(half.channel->is_broken());
  const auto last = half.channel->take();
  ASSERT_TRUE(last) << "the last words of a peer that is gone";
  EXPECT_EQ(last->type, Message::AttachFailed);
  EXPECT_EQ(last->payload, "no");
  EXPECT_FALSE(half.channel->send(Message::Attach)) << "and no SIGPIPE";
}

TEST(Channel, JoinsAndSplitsAnIdAndAText) {
  const std::string payload = Channel::with_id(0x0102030405060708, "{}");
  ASSERT_EQ(payload.size(), 10U);
  EXPECT_EQ(payload[0], 8) << "little endian";
  const auto parts = Channel::split_id(payload);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->first, 0x0102030405060708U);
  EXPECT_EQ(parts->second, "{}");
  EXPECT_TRUE(Channel::split_id(Channel::with_id(1, "")));
  EXPECT_FALSE(Channel::split_id("1234567"));
}

TEST(Death, HasANameThatIsUnderstoodAgain) {
  for (const Death death : {Death::None, Death::Planned, Death::Killed, Death::Crashed, Death::Hung})
    EXPECT_EQ(death_from(name(death)), death);
  EXPECT_FALSE(death_from("bored"));
}

}  // namespace
}  // namespace perdure::edge
