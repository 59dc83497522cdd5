#pragma once
// A Proxy with a Store in memory and a script; messages go in, datagrams come out. It can die and start again on the same memory.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/dispatcher.hpp"
#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "script/script_runner.hpp"
#include "store/store.hpp"
#include "transaction/record.hpp"

namespace perdure::script {

struct Sent {
  std::string bytes;
  SocketAddress to;

  [[nodiscard]] bool is(std::string_view start) const { return bytes.starts_with(start); }
  // The value of the first header line of that name, empty if there is none.
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto at = bytes.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto begin = at + name.size() + 4;
    return bytes.substr(begin, bytes.find("\r\n", begin) - begin);
  }
  [[nodiscard]] std::string line() const { return bytes.substr(0, bytes.find("\r\n")); }
};

inline SocketAddress at(int port, const char* ip = "127.0.0.1") {
  return *SocketAddress::parse(ip, static_cast<std::uint16_t>(port));
}
// What the variables of the time show.
inline std::int64_t test_wall_us() {
  return 1'795'476'251'000'042;
}

inline constexpr int proxy_port = 5060, caller_port = 6000;

// What a request is made of.
struct Request {
  std::string method = "INVITE", uri = "sip:bob@192.0.2.1:5070", call_id = "call-1", branch = "z9hG4bK-1", to_tag = {};
  std::string headers = "Max-Forwards: 70\r\nContact: <sip:alice@127.0.0.1:6000>\r\nUser-Agent: phone/1\r\n";
  std::string body = {};
  int cseq = 7;

  [[nodiscard]] std::string text() const {
    return method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=" + branch +
           "\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=from1\r\nTo: <sip:bob@example.net>" + (to_tag.empty() ? "" : ";tag=" + to_tag) +
           "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
};

class Bench : public proxy::Mailbox {
 public:
  explicit Bench(std::string script, dispatch::Dispatcher* dispatcher = nullptr) : memory_((8 << 20) / 8) {
    options_.text = std::move(script);
    options_.wall_us = test_wall_us;
    options_.dispatcher = dispatcher;
    start();
  }

  explicit Bench(const std::function<void(ScriptOptions&)>& set) : memory_((8 << 20) / 8) {
    options_.wall_us = test_wall_us;
    set(options_);
    start();
  }

  ScriptOptions& options() { return options_; }
  // A new process: nothing but the memory of the store is left.
  void start() {
    if (store_) store_->heartbeat(store_->now(now_.time_since_epoch().count()), 0);
    proxy_.reset();
    runner_.reset();
    store_.reset();
    outputs_.clear();
    store::Options store_options;
    store_options.partitions = 2;
    store_options.extent_bytes = 16 * 1024;
    store_options.kinds = {store::kind_info<transaction::TransactionHeader>()};
    store_options.monotonic_us = now_.time_since_epoch().count();
    store_options.secret = 42;
    auto store = store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, store_options);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    auto runner = ScriptRunner::create(options_, 0, Random(1));
    ASSERT_TRUE(runner) << runner.error().message;
    runner_ = std::move(*runner);
    runner_->set_mailbox(*this);
    proxy::ProxyOptions proxy_options;
    proxy_options.sockets = {
        {.transport = Transport::Udp, .address = at(proxy_port), .advertised_host = "127.0.0.1", .advertised_port = proxy_port}};
    proxy_options.aliases = {"example.com"};
    proxy_options.secret = 42;
    if (set_proxy) set_proxy(proxy_options);
    proxy_ = std::make_unique<proxy::Proxy>(proxy_options, *store_, 0, 1, *runner_, Random(2));
    proxy_->attach(store_->now(now_.time_since_epoch().count()), outputs_);
    flush();
  }

  // What leaves because of this message.
  std::vector<Sent> receive(const std::string& bytes, SocketAddress from = at(caller_port)) {
    proxy_->on_received({bytes, from, 0, 0}, store_->now(now_.time_since_epoch().count()), outputs_);
    return flush();
  }
  std::vector<Sent> receive(const Request& request) { return receive(request.text()); }
  // An answer of a gateway to a request that it got.
  std::vector<Sent> answer(const Sent& request, int code, const std::string& reason = "Reason", const std::string& headers = {}) {
    std::string out = "SIP/2.0 " + std::to_string(code) + " " + reason + "\r\n";
    std::size_t begin = request.bytes.find("\r\n") + 2;
    while (request.bytes.compare(begin, 2, "\r\n") != 0) {
      const auto end = request.bytes.find("\r\n", begin) + 2;
      std::string line = request.bytes.substr(begin, end - begin);
      if (line.starts_with("To:") && line.find("tag=") == std::string::npos && code > 100) line.insert(line.size() - 2, ";tag=to1");
      for (const char* name : {"Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"})
        if (line.starts_with(name)) out += line;
      begin = end;
    }
    return receive(out + headers + "Content-Length: 0\r\n\r\n", request.to);
  }
  // Time passes, timers run.
  std::vector<Sent> advance(Duration duration) {
    std::vector<Sent> all;
    for (const Time end = now_ + duration; now_ < end;) {
      now_ += 100ms;
      proxy_->on_tick(store_->now(now_.time_since_epoch().count()), outputs_);
      for (auto& one : flush()) all.push_back(std::move(one));
    }
    return all;
  }

  // From any thread; deliver() takes it.
  void post(std::function<void(proxy::Proxy&, Time now, proxy::Outputs&)> f) override {
    {
      const std::scoped_lock lock(mutex_);
      mail_.push_back(std::move(f));
    }
    has_mail_.notify_one();
  }
  // What leaves because of the next thing that another thread has to say; waits for it.
  std::vector<Sent> deliver() {
    std::unique_lock lock(mutex_);
    if (!has_mail_.wait_for(lock, 20s, [this] { return !mail_.empty(); })) {
      ADD_FAILURE() << "nobody said anything";
      return {};
    }
    const auto f = std::move(mail_.front());
    mail_.erase(mail_.begin());
    lock.unlock();
    f(*proxy_, store_->now(now_.time_since_epoch().count()), outputs_);
    return flush();
  }

  // Something that is no message; `sent` gets what leaves because of it.
  bool event(const proxy::ScriptEvent& event, std::vector<Sent>* sent = nullptr) {
    const bool ran = proxy_->run_event(event, store_->now(now_.time_since_epoch().count()), outputs_);
    auto left = flush();
    if (sent) *sent = std::move(left);
    return ran;
  }

  std::function<void(proxy::ProxyOptions&)> set_proxy;  // from the next start() on
  std::vector<std::string> account_lines;               // of all processes
  bool dies_before_output = false;                      // what is committed does not leave: start() is to follow

  ScriptRunner& runner() { return *runner_; }
  proxy::Proxy& proxy() { return *proxy_; }

 private:
  std::vector<Sent> flush() {
    std::vector<Sent> sent;
    if (dies_before_output) return sent;
    for (const auto line : outputs_.account_lines()) account_lines.emplace_back(line);
    for (const auto& one : outputs_.sends()) sent.push_back({std::string(one.bytes), one.destination});
    outputs_.clear();
    proxy_->outputs_sent();
    return sent;
  }

  ScriptOptions options_;
  Time now_{Duration(1'000'000)};
  std::vector<std::uint64_t> memory_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ScriptRunner> runner_;
  std::unique_ptr<proxy::Proxy> proxy_;
  proxy::Outputs outputs_;
  std::mutex mutex_;
  std::condition_variable has_mail_;
  std::vector<std::function<void(proxy::Proxy&, Time, proxy::Outputs&)>> mail_;
};

// The first of `sent` whose first line starts so, null if there is none.
inline const Sent* first(const std::vector<Sent>& sent, std::string_view start) {
  for (const auto& one : sent)
    if (one.is(start)) return &one;
  return nullptr;
}

}  // namespace perdure::script
