#pragma once
// The real proxy on a small store, with the clock, the deaths and the script in the hands of a fuzzer.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/proxy/judge.hpp"
#include "proxy/proxy.hpp"
#include "store/store.hpp"

namespace perdure::fuzz {

inline SocketAddress local_address(int port) {
  return *SocketAddress::parse("127.0.0.1", static_cast<std::uint16_t>(port));
}
inline constexpr int proxy_port = 5060, second_port = 5080, caller_port = 6000, gateway_port = 7000;

inline proxy::ProxyOptions proxy_options() {
  proxy::ProxyOptions options;
  for (const int port : {proxy_port, second_port}) {
    proxy::LocalSocket socket;
    socket.address = local_address(port);
    socket.advertised_host = "127.0.0.1";
    socket.advertised_port = static_cast<std::uint16_t>(port);
    options.sockets.push_back(socket);
  }
  options.secret = 42;
  return options;
}

class World : private store::WriteObserver {
 public:
  World(proxy::ProxyOptions options, proxy::RouteRunner& runner, proxy::Persist persist, std::size_t store_bytes, bool strict)
      : options_(std::move(options)), runner_(runner), persist_(persist), judge_(strict), memory_(store_bytes / 8) {
    restart();
  }
  ~World() override = default;

  [[nodiscard]] Judge& judge() { return judge_; }
  [[nodiscard]] Time clock() const { return Time(Duration(monotonic_us_)); }

  void receive(std::string_view text, const SocketAddress& from, std::uint16_t socket = 0) {
    const std::string bytes(text);  // a death on the way leaves it in the receive slot, from which the next engine takes it
    survive([&] {
      trace("<-", from, bytes);
      const auto partition = proxy::partition_of(bytes, store_->partition_count());
      proxies_[partition % proxies_.size()]->on_received({bytes, from, socket, 0}, now(), outputs_);
      flush();
    });
  }
  void pass(Duration duration) {
    monotonic_us_ += duration.count();
    tick();
  }
  // To the next timer; false if none runs.
  bool pass_to_deadline() {
    const Time next = next_deadline();
    if (next == never) return false;
    pass(std::max<Duration>(next - now(), 1ms));
    return true;
  }
  // The next death comes before that write to the store, or after that output.
  void die_before_write(std::size_t count) { writes_left_ = count; }
  void die_after_output(std::size_t count) { outputs_left_ = count; }
  void set_worker_count(std::uint32_t count) { worker_count_ = count; }
  // A death now, and a new process on the same store.
  void restart() {
    for (;;) {
      try {
        start();
        return;
      } catch (const Killed&) {
        note_death();
      }
    }
  }
  void die_now() {
    note_death();
    restart();
  }

  // Lets all timers run out: nothing may be left.
  void settle() {
    writes_left_ = outputs_left_ = SIZE_MAX;
    const Time begin = clock();
    for (std::size_t ticks = 0; pass_to_deadline(); ++ticks) {
      expect(ticks < 50'000, "timers fire without end");
      expect(clock() - begin < 1h, "a transaction outlives all its timers");
    }
    for (const auto& proxy : proxies_) expect(proxy->open_transactions() == 0, "a transaction is left without a timer");
    expect(store_->usage().used_bytes == 0, "bytes are left in the store");
    expect(!transactions_ || transactions_->usage().used_bytes == 0, "bytes are left in the memory of the process");
  }

 private:
  struct Killed {};

  [[nodiscard]] Time now() const { return store_->now(monotonic_us_); }
  [[nodiscard]] Time next_deadline() const {
    Time next = never;
    for (const auto& proxy : proxies_) next = std::min(next, proxy->next_deadline());
    return next;
  }

  void before_write(std::uint64_t, std::size_t) override {
    if (writes_left_ == SIZE_MAX || writes_left_-- > 0) return;
    writes_left_ = SIZE_MAX;
    throw Killed{};
  }

  template <class Step>
  void survive(Step&& step) {
    for (;;) {
      try {
        return step();
      } catch (const Killed&) {
        note_death();
        restart();
      }
    }
  }
  // With PERDURE_FUZZ_TRACE set a run tells what happens: the ladder of a failure.
  void trace(const char* direction, const SocketAddress& peer, std::string_view bytes) const {
    static const bool wanted = std::getenv("PERDURE_FUZZ_TRACE") != nullptr;
    if (!wanted) return;
    std::fprintf(stderr, "%8.3f %s %s\n", static_cast<double>(monotonic_us_) / 1e6, direction, peer.text().c_str());
    if (!bytes.empty()) std::fwrite(bytes.data(), 1, bytes.size(), stderr);
    std::fputc('\n', stderr);
  }
  // Without full persistence a death is a loss, and transactions may begin anew.
  void note_death() {
    trace("death", options_.sockets.front().address, {});
    if (persist_ != proxy::Persist::Full) judge_.relax();
  }

  void tick() {
    survive([&] {
      store_->heartbeat(now(), 0);
      for (const auto& proxy : proxies_) proxy->on_tick(now(), outputs_);
      flush();
    });
  }

  void start() {
    proxies_.clear();
    store_.reset();
    transactions_.reset();
    outputs_.clear();
    store::Options options;
    options.partitions = 2;
    options.extent_bytes = 4096;
    options.kinds = proxy::store_kinds();
    options.discard = persist_ == proxy::Persist::Off;
    options.monotonic_us = monotonic_us_;
    options.secret = 42;
    auto opened = store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, options, this);
    expect(opened.has_value(), "the store of a process that died is refused");
    store_ = std::move(*opened);
    if (persist_ != proxy::Persist::Full) {
      options.max_bytes = memory_.size() * 8;
      auto of_process = store::Store::open(options);
      expect(of_process.has_value(), "no store in memory");
      transactions_ = std::move(*of_process);
    }
    const proxy::Stores stores(transactions_ ? *transactions_ : *store_, persist_ == proxy::Persist::Routes ? store_.get() : nullptr);
    for (std::uint32_t i = 0; i < worker_count_; ++i)
      proxies_.push_back(std::make_unique<proxy::Proxy>(options_, stores, i, worker_count_, runner_, Random(1000 + 2 * ++starts_)));
    for (const auto& proxy : proxies_) {
      proxy->attach(now(), outputs_);
      flush();
    }
  }

  void flush() {
    for (const auto& send : outputs_.sends()) {
      trace("->", send.destination, send.bytes);
      judge_.on_sent(send, clock());
      if (outputs_left_ == SIZE_MAX || --outputs_left_ > 0) continue;
      outputs_left_ = SIZE_MAX;
      throw Killed{};
    }
    outputs_.clear();
    for (const auto& proxy : proxies_) proxy->outputs_sent();
  }

  proxy::ProxyOptions options_;
  proxy::RouteRunner& runner_;
  proxy::Persist persist_;
  Judge judge_;
  std::vector<std::uint64_t> memory_;           // what survives
  std::unique_ptr<store::Store> store_;         // on memory_
  std::unique_ptr<store::Store> transactions_;  // of this process only; null with Persist::Full
  std::vector<std::unique_ptr<proxy::Proxy>> proxies_;
  proxy::Outputs outputs_;
  std::uint32_t worker_count_ = 1;
  std::uint64_t starts_ = 0;
  std::int64_t monotonic_us_ = 1'000'000;
  std::size_t writes_left_ = SIZE_MAX, outputs_left_ = SIZE_MAX;
};

}  // namespace perdure::fuzz
