// RFC 3261 18.3: messages in a stream are framed by Content-Length. RFC 5626 3.5.1: CRLFs between them keep the connection alive.
#include "sip/framer.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace perdure::sip {
namespace {

using testing::ElementsAre;

const std::string options = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const std::string message_with_body = "MESSAGE sip:a SIP/2.0\r\nX: y\r\n z\r\nl :\r\n 6\r\n\r\na\r\n\r\nb";

// What a connection does: bytes come in pieces, frames are taken from the front.
class Connection {
 public:
  explicit Connection(std::size_t size_max = 65536) : framer_(size_max) {}

  // The frames that are complete now: the text of a message, "ping", "pong" or "513 Reason".
  std::vector<std::string> receive(std::string_view bytes) {
    buffer_ += bytes;
    std::vector<std::string> found;
    while (true) {
      const Frame frame = framer_.next(buffer_);
      switch (frame.kind) {
        case Frame::Kind::NeedMore:
          EXPECT_EQ(frame.consumed, 0U);
          return found;
        case Frame::Kind::Message:
          EXPECT_EQ(frame.consumed, frame.message.size());
          found.emplace_back(frame.message);
          break;
        case Frame::Kind::Pong:
          found.emplace_back("pong");
          break;
        case Frame::Kind::Ping:
          found.emplace_back("ping");
          break;
        case Frame::Kind::Error:
          found.push_back(std::to_string(frame.error.status) + " " + std::string(frame.error.reason));
          error_message = frame.message;
          EXPECT_EQ(frame.consumed, frame.message.size());
          buffer_.clear();
          return found;
      }
      EXPECT_GT(frame.consumed, 0U);
      buffer_.erase(0, frame.consumed);
    }
  }
  [[nodiscard]] std::size_t waiting() const { return buffer_.size(); }

  std::string error_message;

 private:
  StreamFramer framer_;
  std::string buffer_;
};

TEST(Framer, OneMessageAndSeveral) {
  Connection connection;
  EXPECT_THAT(connection.receive(options), ElementsAre(options));
  EXPECT_THAT(connection.receive(message_with_body + options), ElementsAre(message_with_body, options));
  EXPECT_THAT(connection.receive(options + message_with_body.substr(0, 45)), ElementsAre(options));
  EXPECT_THAT(connection.receive(message_with_body.substr(45)), ElementsAre(message_with_body));
  EXPECT_EQ(connection.waiting(), 0U);
}

TEST(Framer, ByteByByteFindsTheSame) {
  Connection connection;
  std::vector<std::string> found;
  for (const char c : "\r\n\r\n" + message_with_body + "\r\n" + options + options)
    for (auto& frame : connection.receive({&c, 1})) found.push_back(std::move(frame));
  EXPECT_THAT(found, ElementsAre("pong", "ping", message_with_body, "pong", options, options));
}

TEST(Framer, EveryCutInTwoFindsTheSame) {
  const std::string stream = options + "\r\n\r\n" + message_with_body;
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Connection connection;
    auto found = connection.receive(stream.substr(0, cut));
    for (auto& frame : connection.receive(stream.substr(cut))) found.push_back(std::move(frame));
    EXPECT_THAT(found, ElementsAre(options, "pong", "ping", message_with_body)) << cut;
  }
}

TEST(Framer, PingsAndPongs) {
  Connection connection;
  EXPECT_THAT(connection.receive("\r"), ElementsAre());
  EXPECT_THAT(connection.receive("\n"), ElementsAre("pong"));
  EXPECT_THAT(connection.receive("\r\n"), ElementsAre("ping"));
  EXPECT_THAT(connection.receive("\r\n\r\n\r\n"), ElementsAre("pong", "ping", "pong"));
  // A message between them: the two CRLFs are not in a row.
  EXPECT_THAT(connection.receive(options + "\r\n"), ElementsAre(options, "pong"));
  EXPECT_THAT(connection.receive("\n"), ElementsAre("ping"));
}

TEST(Framer, BareLineFeedsEndLines) {
  const std::string bare = "OPTIONS sip:a SIP/2.0\nContent-Length: 2\n\nab";
  Connection connection;
  EXPECT_THAT(connection.receive(bare + bare), ElementsAre(bare, bare));
}

TEST(Framer, WithoutAUsableLengthTheStreamIsLost) {
  const std::string start = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n";
  const std::pair<std::string_view, std::string_view> rows[] = {{"", "400 Missing Content-Length header"},
                                                                {"Content-Length: x\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length: -1\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length:\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length 5\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length: 1 1\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length: 99999999999\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length: 0\r\nl: 0\r\n", "400 Bad Content-Length header"},
                                                                {"Content-Length: 4294967295\r\n", "513 Message Too Large"}};
  for (const auto& [line, expected] : rows) {
    Connection connection;
    const std::string headers = start + std::string(line) + "\r\n";
    EXPECT_THAT(connection.receive(headers + "what follows cannot be believed"), ElementsAre(std::string(expected))) << line;
    // Enough to answer: the sender learns what was wrong before the connection is closed.
    Message message;
    EXPECT_EQ(connection.error_message, headers);
    (void)message.parse(connection.error_message);
    EXPECT_EQ(message.call_id(), "1");
  }
}

TEST(Framer, BoundedSize) {
  const std::size_t size = message_with_body.size();
  EXPECT_THAT(Connection(size).receive(message_with_body), ElementsAre(message_with_body));
  EXPECT_THAT(Connection(size - 1).receive(message_with_body), ElementsAre("513 Message Too Large"));
  EXPECT_THAT(Connection(size - 10).receive(message_with_body), ElementsAre("513 Message Too Large"));
  EXPECT_THAT(Connection(100).receive(std::string(100, 'x')), ElementsAre());
  EXPECT_THAT(Connection(100).receive(std::string(101, 'x')), ElementsAre("513 Message Too Large"));
  EXPECT_THAT(Connection(100).receive(std::string(101, 'x') + "\r\n"), ElementsAre("513 Message Too Large"));
}

TEST(Framer, StartsAfreshAfterAnError) {
  StreamFramer framer(100);
  EXPECT_EQ(framer.next("OPTIONS sip:a SIP/2.0\r\n\r\n").kind, Frame::Kind::Error);
  EXPECT_EQ(framer.next(options).message, options);
}

}  // namespace
}  // namespace perdure::sip
