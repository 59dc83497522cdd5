#include "app/server.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "app/engine_reload.hpp"
#include "app/program.hpp"
#include "app/server_successor.hpp"
#include "base/logging.hpp"
#include "edge/udp_sockets.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;

constexpr const char* region_name = "receive";  // in the descriptor store

// What an earlier process of this service had received into, if it is of use; it is taken out of `inherited` then.
std::unique_ptr<edge::SharedRegion> take_region(std::vector<InheritedDescriptor>& inherited, std::uint32_t workers) {
  const auto found = std::ranges::find(inherited, region_name, &InheritedDescriptor::name);
  if (found == inherited.end()) return nullptr;
  auto region = edge::SharedRegion::map(dup(found->descriptor));
  if (!region || (*region)->worker_count() != workers) return nullptr;
  close(found->descriptor);
  inherited.erase(found);
  return std::move(*region);
}

}  // namespace

Server::Server(const Config& config, const std::string& text, const std::string& program)
    : config_(config),
      text_(text),
      program_(program),
      signals_(context_, SIGTERM, SIGINT, SIGHUP),
      manager_(context_),
      administration_({.context = context_,
                       .config = config_,
                       .methods = methods_,
                       .connections = connections_,
                       .hep = hep_,
                       .supervisor = [this]() -> const edge::Supervisor* { return supervisor_ ? &*supervisor_ : nullptr; },
                       .ask_engine = [this](const std::string& method, Done done) { ask_engine(method, Json::array(), std::move(done)); },
                       .uptime_s = [this] { return uptime_s(); }}) {}

Server::~Server() {
  if (configuration_ >= 0) close(configuration_);
}

int Server::run() {
  wait_for_signal();
  if (auto started = start(); !started) {
    log::error("{}", started.error().message);
    return 1;
  }
  if (stop_wanted_)
    stop(nullptr);
  else
    say_ready();
  return serve();
}

int Server::serve() {
  while (!stopped_) context_.run_one();
  return leave();
}

// In this order: who sees the control connection end may start the next server.
int Server::leave() {
  administration_.stop_http();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  if (gone_over_) rpc_->give_away();
  while (rpc_->is_writing() && std::chrono::steady_clock::now() < deadline) context_.run_one_for(std::chrono::milliseconds(10));
  supervisor_.reset();  // the context must not run any more: it may hold what was due already
  hep_.reset();
  connections_.stop();
  directory_.reset();
  rpc_.reset();
  relay_on();
  return exit_code_;
}

Result<> Server::start() {
  auto directory = StateDirectory::open(config_.state.directory);
  if (!directory) return std::unexpected(directory.error());
  directory_.emplace(std::move(*directory));
  if (auto open = directory_->let_in(control_group(config_.admin)); !open) return open;
  if (auto opened = open_rpc(); !opened) return opened;
  auto live = LiveState::prepare(config_.state);
  if (!live) return std::unexpected(live.error());
  live_.emplace(std::move(*live));
  (void)std::remove(live_->log_levels().c_str());
  auto started = connections_.open(config_);
  if (started) started = administration_.open_region();
  if (started) started = administration_.start_http();
  if (started) started = open_supervisor();
  if (started) started = supervisor_->start(before_);
  if (started) {
    live_->attached();
    connections_.start();
    return {};
  }
  supervisor_.reset();  // no engine maps a file any more
  live_->abandon();
  return started;
}

Result<> Server::open_rpc() {
  add_methods();
  make_rpc();
  return rpc_->start();
}

void Server::make_rpc() {
  rpc_.emplace(context_, admin::RpcServerOptions{.path = control_socket(directory_->path()), .group = control_group(config_.admin)},
               [this](const std::string& line, std::function<void(std::string)> reply, const std::string& caller) {
                 methods_.dispatch(line, std::move(reply), {.name = caller});
               });
}

// With what came with the process, where it fits the configuration; what does not fit is given up.
Result<> Server::open_supervisor() {
  const auto text = share_text("perdure-configuration", text_);
  if (!text) return std::unexpected(text.error());
  configuration_ = *text;
  auto inherited = ServiceManager::take_descriptors();
  const std::uint32_t workers = worker_count(config_);
  auto options = supervisor_options();
  auto region = take_region(inherited, workers);
  before_ = region ? edge::Death::Killed : edge::Death::None;
  std::vector<SocketAddress> addresses;
  for (const auto& listen : config_.listen)
    if (listen.transport == Transport::Udp) addresses.push_back(listen.address);
  std::vector<int> descriptors;
  for (const auto& one : inherited) descriptors.push_back(one.descriptor);
  auto sockets = edge::UdpSockets::open(addresses, workers, config_.engine.receive_buffer_bytes, descriptors);
  if (inherited.size() > descriptors.size()) log::notice("{} sockets came from the service manager", inherited.size() - descriptors.size());
  for (const auto& one : inherited) {
    if (std::ranges::count(descriptors, one.descriptor) == 0) continue;
    log::notice("descriptor {} of the service manager fits no listen address: it is closed", one.name);
    manager_.forget(one.name);
    close(one.descriptor);
  }
  if (!options) return std::unexpected(options.error());
  if (!sockets) return std::unexpected(sockets.error());
  if (!region) {
    auto made = edge::SharedRegion::create(workers);
    if (!made) return std::unexpected(made.error());
    region = std::move(*made);
  }
  supervisor_.emplace(context_, std::move(*options), std::move(*sockets), std::move(region));
  return {};
}

Result<edge::SupervisorOptions> Server::supervisor_options() const {
  auto binary = edge::Binary::own(program_);
  if (!binary) return std::unexpected(binary.error());
  edge::SupervisorOptions options;
  options.binary = std::move(*binary);
  options.engine_arguments = {"engine",
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
  if (configuration_ >= 0) options.engine_descriptors.push_back({"--configuration", {configuration_}});
  options.engine_descriptors.push_back({"--metrics", {administration_.region()}});
  options.engine_descriptors.push_back({"--rings", connections_.engine_descriptors()});
  options.watchdog = config_.engine.watchdog;
  options.pid_directory = directory_->path();
  return options;
}

std::vector<std::string> Server::listen_texts() const {
  std::vector<std::string> texts = connections_.listen_texts();
  auto udp = supervisor_->sockets().addresses().begin();
  for (auto& text : texts)
    if (text.empty()) text = fmt::format("udp:{}", (udp++)->text());
  return texts;
}

void Server::start_export() {
  if (config_.trace.hep.collector && config_.trace.bytes != 0) hep_.emplace(live_->trace(), config_.trace.hep);
}

void Server::say_ready() {
  ready_ = true;
  start_export();
  const auto addresses = fmt::format("{}", fmt::join(listen_texts(), " "));
  fmt::print("ready {}\n", addresses);
  std::fflush(stdout);
  manager_.ready("Listening on " + addresses);
  manager_.start_watchdog();
  keep_descriptors();
}

// Where they outlive this process.
void Server::keep_descriptors() {
  const auto& sockets = supervisor_->sockets();
  for (std::size_t i = 0; i < sockets.descriptors().size(); ++i) manager_.keep(sockets.name(i), sockets.descriptors()[i]);
  manager_.keep(region_name, supervisor_->region().descriptor());
}

void Server::wait_for_signal() {
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    on_signal(number);
    wait_for_signal();
  });
}

void Server::on_signal(int number) {
  if (number == SIGHUP) {
    if (!ready_ || successor_) return;
    manager_.reloading();
    return supervisor_->reload(ReloadRequest{}.text(), [this](Result<> done) {
      if (done) done = connections_.reload_tls();
      if (done) done = administration_.reload();
      if (!done) log::error("nothing is reloaded: {}", done.error().message);
      manager_.ready(done ? "Reloaded" : "The last reload failed, see the log");
    });
  }
  if (successor_) return stop_successor(number);
  if (ready_) return stop(nullptr);
  // While the first engine comes up there is nothing to save. Who asks again later will not wait for it; at once, it is the same signal
  // to the process and to its group.
  const auto now = std::chrono::steady_clock::now();
  if (!std::exchange(stop_wanted_, true))
    stop_wanted_at_ = now;
  else if (now - stop_wanted_at_ > std::chrono::milliseconds(500))
    std::_Exit(1);
}

void Server::stop(Done done) {
  if (stopping_ || successor_) {
    if (done) done(rpc_fail(successor_ ? "an upgrade of the edge is in progress" : "the server is stopping"));
    return;
  }
  stopping_ = true;
  log::notice("stopping");
  if (predecessor_) (void)predecessor_->send("leaving");  // it must not take back
  manager_.stopping();
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

}  // namespace perdure::app
