#pragma once
// One proxy on a store in memory with a clock in the test's hand: bytes in, datagrams out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "sip/message.hpp"

namespace perdure::proxy {

inline SocketAddress at_port(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}

// What left: parsed on demand by the test.
struct Sent {
  SocketAddress to;
  std::uint16_t socket = 0;
  std::string text;
  std::uint64_t connection = 0;
  std::string server_name = {};
  bool may_connect = true, closes = false;

  [[nodiscard]] std::string first_line() const { return text.substr(0, text.find("\r\n")); }
  // The value of the first header line of that name, empty if there is none.
  [[nodiscard]] std::string header(std::string_view name) const {
    sip::Message message;
    if (!message.parse(text)) return {};
    const auto* field = message.find(name);
    return field ? std::string(message.value(*field)) : std::string();
  }
  [[nodiscard]] std::vector<std::string> headers(sip::HeaderName name) const {
    sip::Message message;
    std::vector<std::string> values;
    if (message.parse(text))
      for (const auto& value : message.values(name)) values.emplace_back(value.text);
    return values;
  }
};

class ProxyTest : public testing::Test, public RouteRunner {
 protected:
  ProxyTest() {
    for (const int port : {5060, 5080}) {
      LocalSocket socket;
      socket.address = at_port(port);
      socket.advertised_host = "127.0.0.1";
      socket.advertised_port = static_cast<std::uint16_t>(port);
      options.sockets.push_back(socket);
    }
    options.secret = 7;
    on_request = [](RoutingContext& context) {
      if (!context.message->to()->tag.empty()) (void)context.loose_route();
      context.relay();
    };
  }

  // Begins (again) on the same memory: what a restart does, and what it sends.
  std::vector<Sent> start() {
    proxy.reset();
    store.reset();
    transactions.reset();
    store::Options store_options;
    store_options.partitions = 2;
    store_options.extent_bytes = 16 * 1024;
    store_options.kinds = store_kinds();
    store_options.monotonic_us = now.time_since_epoch().count();
    store = std::move(*store::Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, store_options));
    store_options.max_bytes = transactions_bytes;
    if (persist == Persist::Routes) transactions = std::move(*store::Store::open(store_options));
    const Stores stores(transactions ? *transactions : *store, transactions ? store.get() : nullptr);
    proxy = std::make_unique<Proxy>(options, stores, 0, 1, *this, Random(++starts));
    proxy->attach(now, outputs);
    return collect();
  }

  // What the datagram leads to at once.
  std::vector<Sent> receive(std::string_view text, int from_port, std::uint16_t socket = 0, std::uint64_t connection = 0) {
    if (!proxy) start();
    proxy->on_received({text, at_port(from_port), socket, connection}, now, outputs);
    return collect();
  }
  // The transport gives back what left.
  std::vector<Sent> undelivered(const Sent& sent) {
    proxy->on_undelivered(sent.text, now, outputs);
    return collect();
  }
  // Lets time pass in the steps of the proxy's own deadlines; everything that leaves meanwhile.
  std::vector<Sent> pass(Duration duration) {
    std::vector<Sent> all;
    const Time end = now + duration;
    while (true) {
      const Time next = std::max(proxy->next_deadline(), now + 1ms);
      now = std::min(next, end);
      proxy->on_tick(now, outputs);
      for (auto& one : collect()) all.push_back(std::move(one));
      if (now == end) return all;
    }
  }

  static std::string request(std::string_view method, std::string_view uri, std::string_view extra = {},
                             std::string_view branch = "z9hG4bKcaller", std::string_view to_tag = {}) {
    std::string text(method);
    text += " " + std::string(uri) + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=" + std::string(branch) +
            "\r\nFrom: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>" +
            (to_tag.empty() ? "" : ";tag=" + std::string(to_tag)) + "\r\nCall-ID: call-1\r\nCSeq: 1 " + std::string(method) +
            "\r\nMax-Forwards: 70\r\nContact: <sip:alice@127.0.0.1:6000>\r\n";
    text += extra;
    return text + "Content-Length: 0\r\n\r\n";
  }
  // A response of a gateway to a request that left.
  static std::string response(const Sent& sent, int status, std::string_view extra = {}, std::string_view tag = "g1") {
    std::string text = "SIP/2.0 " + std::to_string(status) + " Whatever\r\n";
    sip::Message message;
    EXPECT_TRUE(message.parse(sent.text));
    for (const auto& field : message.headers()) {
      const auto name = field.name;
      if (name == sip::HeaderName::Via || name == sip::HeaderName::From || name == sip::HeaderName::CallId ||
          name == sip::HeaderName::CSeq || name == sip::HeaderName::RecordRoute)
        text += message.line(field);
      if (name == sip::HeaderName::To) {
        text += "To: " + std::string(message.value(field));
        if (message.to()->tag.empty() && status > 100) text += ";tag=" + std::string(tag);
        text += "\r\n";
      }
    }
    text += extra;
    return text + "Content-Length: 0\r\n\r\n";
  }

  static std::vector<std::string> lines_of(const std::vector<Sent>& sent) {
    std::vector<std::string> lines;
    for (const auto& one : sent) lines.push_back(std::to_string(one.to.port) + " " + one.first_line());
    return lines;
  }
  // The only one of the datagrams that went to that port.
  static Sent to_port(const std::vector<Sent>& sent, int port) {
    const Sent* found = nullptr;
    for (const auto& one : sent)
      if (one.to.port == port) {
        EXPECT_EQ(found, nullptr) << "more than one datagram to " << port;
        found = &one;
      }
    EXPECT_NE(found, nullptr) << "nothing to " << port;
    return found ? *found : Sent{};
  }

  bool run(RoutingContext& context, RouteKind kind, std::string_view name) override {
    switch (kind) {
      case RouteKind::Request:
        if (on_request) on_request(context);
        break;
      case RouteKind::Failure:
        if (on_failure) on_failure(context);
        break;
      case RouteKind::Branch:
        if (on_branch) on_branch(context);
        break;
      case RouteKind::Reply:
      case RouteKind::OnReply:
        if (on_reply && (kind == RouteKind::OnReply) == !name.empty()) on_reply(context);
        break;
      case RouteKind::BranchFailure:
      case RouteKind::Local:
      case RouteKind::Event:
        break;
    }
    return !script_fails;
  }
  void save_variables(RoutingContext&) override {}
  bool resume(RoutingContext& context, bool timed_out) override {
    on_resume(context, timed_out);
    return !script_fails;
  }
  void abandon(RoutingContext&) override { ++abandoned; }

  // A run that waits goes on.
  std::vector<Sent> wake(std::uint64_t wait) {
    EXPECT_TRUE(proxy->resume(wait, now, outputs));
    return collect();
  }

  std::vector<Sent> collect() {
    std::vector<Sent> sent;
    for (const auto& send : outputs.sends())
      sent.push_back({send.destination, send.socket, std::string(send.bytes), send.connection, std::string(send.server_name),
                      send.may_connect, send.closes});
    outputs.clear();
    proxy->outputs_sent();
    return sent;
  }

  ProxyOptions options;
  Persist persist = Persist::Full;  // or Routes
  std::uint64_t transactions_bytes = 4 << 20;
  std::function<void(RoutingContext&)> on_request, on_failure, on_branch, on_reply;
  std::function<void(RoutingContext&, bool timed_out)> on_resume;
  int abandoned = 0;
  bool script_fails = false;
  Time now{Duration(1'000'000'000)};
  std::vector<std::uint64_t> memory = std::vector<std::uint64_t>(512 * 1024);
  std::unique_ptr<store::Store> store, transactions;  // transactions: of this process only, with Persist::Routes
  std::unique_ptr<Proxy> proxy;
  Outputs outputs;
  std::uint64_t starts = 0;
};

}  // namespace perdure::proxy
