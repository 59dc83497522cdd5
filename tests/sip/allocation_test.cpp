// No allocation per message in the steady state.
#include <gtest/gtest.h>

#include <string>

#include "heap/counting_new.hpp"
#include "sip/builder.hpp"
#include "sip/edits.hpp"
#include "sip/framer.hpp"

namespace perdure::sip {
namespace {

constexpr std::string_view invite =
    "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.4:5060;rport;branch=z9hG4bKnashds8\r\n"
    "Via: SIP/2.0/TLS pc33.atlanta.example.com;branch=z9hG4bK776asdhds\r\n"
    "Route: <sip:192.0.2.100;lr>, <sip:p2.example.com;lr>\r\n"
    "Max-Forwards: 70\r\n"
    "To: Bob <sip:bob@biloxi.example.com>\r\n"
    "From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n"
    "Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Contact: <sip:alice@pc33.atlanta.example.com>\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 10\r\n"
    "\r\n"
    "v=0\r\ns=-\r\n";

// What the worker keeps from message to message.
struct Worker {
  Message message;
  Edits edits;
  std::string out, via, stored;
  SocketAddress source;
  bool good = true;

  Worker() : source(*SocketAddress::parse("2001:db8:1234:5678:9abc:def0:1234:5678", 40000)) {
    out.reserve(4096);
    via.reserve(512);
    stored.reserve(4096);
  }

  void forward() {
    good &= message.parse(invite).has_value() && message.check().has_value();
    edits.clear();
    edits.set_request_uri("sip:bob@192.0.2.9:5070;transport=udp");
    edits.replace_value(*message.find(HeaderName::MaxForwards), "69");
    for (const Value& route : message.values(HeaderName::Route)) {
      edits.remove_value(route);
      break;
    }
    edits.insert_before(HeaderName::RecordRoute, "Record-Route: <sip:192.0.2.100;lr>\r\n");
    edits.insert_before(HeaderName::Via, "Via: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKours\r\n");
    edits.append("X-Forwarded: a header longer than any small string buffer\r\n");
    edits.set_body("application/sdp", "v=0\r\ns=another\r\n");
    out.clear();
    edits.serialize_append(message, out);
    good &= edits.serialized_size(message) == out.size();
    stored.clear();
    edits.encode(stored);
    good &= edits.decode(stored);
  }

  void answer() {
    good &= message.parse(invite).has_value();
    via.clear();
    via_with_received(*message.top_via(), source, via);
    out.clear();
    build_response(message, 503, {}, "tag-of-this-proxy", "Retry-After: 10\r\n", {}, via, out);
    out.clear();
    build_cancel(message, "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n", out);
    out.clear();
    build_ack(message, message, out);
  }

  void compare() {
    const auto uri = Uri::parse("sip:%62ob@[2001:db8::1];transport=udp"), other = Uri::parse("sip:bob@[2001:DB8::1];transport=udp");
    good &= equivalent(*uri, *other);
    good &= StreamFramer(65536).next(invite).kind == Frame::Kind::Message;
  }
};

std::size_t allocations_of(Worker& worker, void (Worker::*work)()) {
  (worker.*work)();  // the warm-up
  const std::size_t before = allocations_of_this_thread();
  for (int i = 0; i < 100; ++i) (worker.*work)();
  return allocations_of_this_thread() - before;
}

TEST(Allocations, NonePerForwardedRequest) {
  Worker worker;
  EXPECT_EQ(allocations_of(worker, &Worker::forward), 0U);
  EXPECT_TRUE(worker.good);
  EXPECT_TRUE(worker.out.starts_with("INVITE sip:bob@192.0.2.9:5070;transport=udp SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.100"));
}

TEST(Allocations, NonePerAnswer) {
  Worker worker;  // which is far away, so that received= gets a long IPv6 address
  EXPECT_EQ(allocations_of(worker, &Worker::answer), 0U);
  EXPECT_TRUE(worker.good);
}

TEST(Allocations, NonePerComparisonAndFrame) {
  Worker worker;
  EXPECT_EQ(allocations_of(worker, &Worker::compare), 0U);
  EXPECT_TRUE(worker.good);
}

TEST(Allocations, AreCounted) {
  const std::size_t before = allocations_of_this_thread();
  const std::string text(100, 'x');
  EXPECT_EQ(allocations_of_this_thread() - before, 1U);
  EXPECT_EQ(text.size(), 100U);
}

}  // namespace
}  // namespace perdure::sip
