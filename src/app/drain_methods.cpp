#include "app/drain_methods.hpp"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "base/logging.hpp"
#include "engine/clock.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using Done = admin::MethodTable::Done;

constexpr Duration worker_deadline = 2s;
// An engine that has died is replaced much sooner; the next one reads the file by itself when it attaches.
constexpr int attempts_max = 20;
constexpr std::chrono::milliseconds pause_between_attempts{100};

// Tells the engine, again if it dies meanwhile.
class Announcement : public std::enable_shared_from_this<Announcement> {
 public:
  Announcement(boost::asio::io_context& context, const DrainServer& server, Done done)
      : timer_(context), ask_(server.ask_engine), done_(std::move(done)) {}

  void tell() {
    ask_("engine.drain", Json::array(), [self = shared_from_this()](RpcResult result) {
      if (result || ++self->attempts_ == attempts_max) return self->done_(std::move(result));
      self->timer_.expires_after(pause_between_attempts);
      self->timer_.async_wait([self](boost::system::error_code) { self->tell(); });
    });
  }

 private:
  boost::asio::steady_timer timer_;
  decltype(DrainServer::ask_engine) ask_;
  Done done_;
  int attempts_ = 0;
};

void change(boost::asio::io_context& context, const DrainServer& server, const DrainState& state, Done done) {
  if (const auto saved = save_drain(server.state_directory, state); !saved) return done(rpc_fail(saved.error().message));
  if (state.drain.on)
    log::notice("draining: new dialogs {}{}", state.drain.by_script ? "are for the script to decide, else " : "get ", state.drain.code);
  else
    log::notice("no longer draining");
  std::make_shared<Announcement>(context, server, [done = std::move(done), state](const RpcResult& result) {
    done(result ? RpcResult(state.json()) : result);
  })->tell();
}

Json progress(const DrainServer& server, Json engine) {
  const auto state = load_drain(server.state_directory);
  engine["drain"] = state ? state->json() : Json{{"error", state.error().message}};
  engine["connections"] = server.connections();
  return engine;
}

RpcResult count_unanswered(engine::Engine& engine) {
  const std::uint32_t rounds = (engine.partition_count() + engine.workers() - 1) / engine.workers();
  std::vector<std::size_t> counts(engine.workers());
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const auto count = [&](std::uint32_t worker, const proxy::Proxy& proxy) { counts[worker] += proxy.count_unanswered(round); };
    if (!engine.run_on_all(count, worker_deadline)) return rpc_fail("a worker did not answer in time");
  }
  std::size_t unanswered = 0;
  for (const std::size_t count : counts) unanswered += count;
  return Json{{"unanswered", unanswered}, {"transactions", engine.counters().open_transactions}};
}

}  // namespace

void add_drain_methods(admin::MethodTable& methods, boost::asio::io_context& context, DrainServer server) {
  const auto shared = std::make_shared<const DrainServer>(std::move(server));
  methods.add_late("drain", [shared, &context](const Json& params, Done done) {
    const auto drain = drain_from(params);
    if (!drain) return done(rpc_fail(drain.error().message, admin::rpc_code::invalid_params));
    change(context, *shared, {*drain, engine::wall_us()}, std::move(done));
  });
  methods.add_late("undrain", [shared, &context](const Json&, Done done) { change(context, *shared, {}, std::move(done)); });
  methods.add_late("drain.progress", [shared](const Json&, const Done& done) {
    shared->ask_engine("engine.unanswered", Json::array(),
                       [shared, done](RpcResult result) { done(result ? progress(*shared, std::move(*result)) : result); });
  });
}

void add_engine_drain_methods(admin::MethodTable& methods, engine::Engine& engine, std::string state_directory) {
  methods.add("engine.drain", [&engine, directory = std::move(state_directory)](const Json&) -> RpcResult {
    const auto state = load_drain(directory);
    if (!state) return rpc_fail(state.error().message);
    const auto set = [&](std::uint32_t, proxy::Proxy& proxy) { proxy.set_drain(state->drain); };
    if (!engine.run_on_all(set, worker_deadline)) return rpc_fail("a worker did not answer in time");
    return state->json();
  });
  methods.add("engine.unanswered", [&engine](const Json&) { return count_unanswered(engine); });
}

proxy::Drain drain_at_attach(const std::string& state_directory) {
  const auto state = load_drain(state_directory);
  if (state) return state->drain;
  log::error("whether this server drains cannot be read, so it takes calls: {}", state.error().message);
  return {};
}

}  // namespace perdure::app
