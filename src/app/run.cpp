#include "app/run.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "admin/rpc_server.hpp"
#include "app/connection_methods.hpp"
#include "app/connections_host.hpp"
#include "app/engine_reload.hpp"
#include "app/live_state.hpp"
#include "app/rpc_methods.hpp"
#include "app/state_directory.hpp"
#include "edge/supervisor.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using Done = admin::MethodTable::Done;

// A file in memory that engines inherit. Not close-on-exec, on purpose.
Result<int> share_text(const std::string& text) {
  const int descriptor = memfd_create("perdure-configuration", 0);
  if (descriptor < 0 || write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(fmt::format("memfd: {}", std::strerror(errno)));
  return descriptor;
}

class Server {
 public:
  Server(const Config& config, const std::string& text) : config_(config), text_(text), signals_(context_, SIGTERM, SIGINT, SIGHUP) {}

  int run() {
    if (auto started = start(); !started) {
      log::error("{}", started.error().message);
      return 1;
    }
    if (stop_wanted_)
      stop(nullptr);
    else
      say_ready();
    while (!stopped_) context_.run_one();
    (void)sd_notify(0, "STOPPING=1");
    // In this order: who sees the control connection end may start the next server.
    supervisor_.reset();
    connections_.stop();
    directory_.reset();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (rpc_->is_writing() && std::chrono::steady_clock::now() < deadline) context_.run_one_for(std::chrono::milliseconds(10));
    rpc_.reset();
    return exit_code_;
  }

 private:
  Result<> start() {
    wait_for_signal();
    auto directory = StateDirectory::open(config_.state.directory);
    if (!directory) return std::unexpected(directory.error());
    directory_.emplace(std::move(*directory));
    add_methods();
    rpc_.emplace(context_, admin::RpcServerOptions{.path = control_socket(directory_->path())},
                 [this](const std::string& line, std::function<void(std::string)> reply) { methods_.dispatch(line, std::move(reply)); });
    if (auto listening = rpc_->start(); !listening) return listening;
    auto live = LiveState::prepare(config_.state);
    if (!live) return std::unexpected(live.error());
    live_.emplace(std::move(*live));
    const auto opened = connections_.open(config_);
    auto options = opened ? supervisor_options() : std::unexpected(opened.error());
    if (options) {
      supervisor_.emplace(context_, std::move(*options));
      if (auto started = supervisor_->start(); started) {
        live_->attached();
        connections_.start();
        return {};
      } else {
        options = std::unexpected(started.error());
      }
    }
    supervisor_.reset();  // no engine maps a file any more
    live_->abandon();
    return std::unexpected(options.error());
  }

  Result<edge::SupervisorOptions> supervisor_options() {
    const auto descriptor = share_text(text_);
    if (!descriptor) return std::unexpected(descriptor.error());
    edge::SupervisorOptions options;
    options.binary = "/proc/self/exe";
    options.engine_arguments = {"engine",
                                "--configuration",
                                std::to_string(*descriptor),
                                "--store",
                                live_->store(),
                                "--store-bytes",
                                std::to_string(live_->max_bytes()),
                                "--tables",
                                live_->tables(),
                                "--dispatcher-state",
                                live_->dispatcher(),
                                "--quarantine",
                                directory_->file("quarantine")};
    if (!config_.path.empty()) options.engine_arguments.insert(options.engine_arguments.end(), {"-c", config_.path});
    for (const auto& argument : connections_.engine_arguments()) options.engine_arguments.push_back(argument);
    for (const auto& listen : config_.listen)
      if (listen.transport == Transport::Udp) options.udp.push_back(listen.address);
    options.workers = worker_count(config_);
    options.receive_buffer_bytes = config_.engine.receive_buffer_bytes;
    options.watchdog = config_.engine.watchdog;
    options.pid_directory = directory_->path();
    return options;
  }

  std::vector<std::string> listen_texts() const {
    std::vector<std::string> texts = connections_.listen_texts();
    auto udp = supervisor_->addresses().begin();
    for (auto& text : texts)
      if (text.empty()) text = fmt::format("udp:{}", (udp++)->text());
    return texts;
  }

  void say_ready() {
    ready_ = true;
    fmt::print("ready {}\n", fmt::join(listen_texts(), " "));
    std::fflush(stdout);
    (void)sd_notify(0, "READY=1");
  }

  void wait_for_signal() {
    signals_.async_wait([this](boost::system::error_code error, int number) {
      if (error) return;
      on_signal(number);
      wait_for_signal();
    });
  }

  void on_signal(int number) {
    if (number == SIGHUP) {
      if (!ready_) return;
      (void)sd_notify(0, "RELOADING=1");
      return supervisor_->reload(ReloadRequest{}.text(), [this](Result<> done) {
        if (done) done = connections_.reload_tls();
        if (!done) log::error("nothing is reloaded: {}", done.error().message);
        (void)sd_notify(0, "READY=1");
      });
    }
    if (ready_) return stop(nullptr);
    // While the first engine comes up there is nothing to save. Who asks again later will not wait for it; at once, it is the same signal
    // to the process and to its group.
    const auto now = std::chrono::steady_clock::now();
    if (!std::exchange(stop_wanted_, true))
      stop_wanted_at_ = now;
    else if (now - stop_wanted_at_ > std::chrono::milliseconds(500))
      std::_Exit(1);
  }

  // `done` may be empty.
  void stop(Done done) {
    if (stopping_) {
      if (done) done(rpc_fail("the server is stopping"));
      return;
    }
    stopping_ = true;
    log::notice("stopping");
    connections_.end_reading();
    supervisor_->stop([this, done = std::move(done)](bool orderly) {
      const auto saved =
          orderly ? live_->save() : fail(fmt::format("the engine did not close the store, which stays in {}", live_->folder()));
      if (!saved) {
        log::error("no snapshot: {}", saved.error().message);
        exit_code_ = 1;
      }
      if (done) done(saved ? RpcResult(Json{{"stopped", true}}) : rpc_fail("stopped, but no snapshot: " + saved.error().message));
      stopped_ = true;
    });
  }

  void add_methods();
  void status(const Done& done);
  [[nodiscard]] Json edge_status() const;
  [[nodiscard]] std::int64_t uptime_s() const {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_).count();
  }
  void ask_engine(const std::string& method, Json params, Done done) {
    supervisor_->call_engine(admin::to_text(admin::make_request(method, std::move(params))),
                             [done = std::move(done)](const Result<std::string>& answer) {
                               done(answer ? admin::read_response(*answer) : rpc_fail(answer.error().message));
                             });
  }

  const Config& config_;
  const std::string& text_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_;
  admin::MethodTable methods_;
  std::optional<StateDirectory> directory_;
  std::optional<admin::RpcServer> rpc_;
  std::optional<LiveState> live_;
  ConnectionsHost connections_;
  std::optional<edge::Supervisor> supervisor_;
  std::chrono::steady_clock::time_point stop_wanted_at_{};
  bool ready_ = false, stop_wanted_ = false, stopping_ = false, stopped_ = false;
  int exit_code_ = 0;
};

void Server::add_methods() {
  const auto add_reload = [this](const char* name, bool script, bool destinations) {
    methods_.add_late(name, [this, script, destinations](const Json& params, const Done& done) {
      if (!ready_) return done(rpc_fail("the server is starting"));
      const Json force = admin::parameter(params, 0, "force");
      const bool forced = force == "force" || force == true;
      if (!forced && !force.is_null()) return done(rpc_fail("the only parameter is `force`"));
      supervisor_->reload(ReloadRequest{script, destinations, forced}.text(), [this, done, all = script && destinations](Result<> result) {
        if (result && all) result = connections_.reload_tls();
        done(result ? RpcResult(Json("reloaded")) : rpc_fail(result.error().message));
      });
    });
  };
  add_reload("reload", true, true);
  add_reload("app_lua.reload", true, false);
  add_reload("dispatcher.reload", false, true);
  for (const char* lists : {"permissions.addressReload", "dialplan.reload", "mtree.reload", "lcr.reload"}) add_reload(lists, false, false);
  add_connection_methods(methods_, connections_, context_);
  methods_.add_late("stop", [this](const Json&, Done done) {
    if (!ready_) return done(rpc_fail("the server is starting"));
    stop(std::move(done));
  });
  methods_.add_late("status", [this](const Json&, const Done& done) { status(done); });
  methods_.add("core.version", [](const Json&) -> RpcResult { return Json("perdure " PERDURE_VERSION); });
  methods_.add("core.uptime", [this](const Json&) -> RpcResult { return Json{{"uptime_s", uptime_s()}}; });
  methods_.add("system.listMethods", [](const Json&) -> RpcResult {
    Json names = Json::array();
    for (const auto& method : rpc_methods()) names.push_back(method.name);
    return names;
  });
  methods_.add("system.methodHelp", [](const Json& params) -> RpcResult {
    const auto name = admin::parameter(params, 0, "method").get<std::string>();
    const RpcMethod* const method = find_rpc_method(name);
    if (!method) return rpc_fail(fmt::format("there is no method '{}'", name));
    return Json(fmt::format("{}{}{}: {}", method->name, method->parameters.empty() ? "" : " ", method->parameters, method->text));
  });
  methods_.set_other([this](const std::string& method, Json params, Done done) {
    const RpcMethod* const known = find_rpc_method(method);
    if (!known || known->side != RpcSide::Engine)
      return done(rpc_fail(fmt::format("there is no method '{}'", method), admin::rpc_code::method_not_found));
    if (!supervisor_) return done(rpc_fail("the server is starting"));
    ask_engine(method, std::move(params), std::move(done));
  });
}

Json Server::edge_status() const {
  const auto known = supervisor_->status();
  Json last = Json::parse(known.last_attach, nullptr, false);
  if (!last.is_object()) last = Json::object();
  last["pause_us"] = known.last_pause.count();
  last["reason"] = edge::name(known.last_death);
  return {{"version", PERDURE_VERSION},
          {"uptime_s", uptime_s()},
          {"serving", known.serving},
          {"pids", {{"edge", known.edge}, {"engine", known.engine}, {"spare", known.spare}}},
          {"engine_starts", known.engine_starts},
          {"last_start", std::move(last)},
          {"spare_error", known.spare_error},
          {"workers", worker_count(config_)},
          {"connections", connections_status(connections_)},
          {"listen", listen_texts()},
          {"configuration", config_.path},
          {"state_directory", config_.state.directory},
          {"live_directory", live_->folder()}};
}

void Server::status(const Done& done) {
  if (!supervisor_) return done(rpc_fail("the server is starting"));
  ask_engine("engine.status", Json::array(), [this, done](RpcResult engine) {
    Json all = edge_status();
    if (engine)
      all.update(*engine);
    else
      all["engine_error"] = engine.error().message;
    done(std::move(all));
  });
}

}  // namespace

int run_server(const Config& config, const std::string& text) {
  log::open("edge", config.log_level);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return Server(config, text).run();
}

}  // namespace perdure::app
