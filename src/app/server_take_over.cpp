// The edge that replaces another one.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <utility>

#include "app/log_methods.hpp"
#include "app/server.hpp"
#include "base/logging.hpp"

namespace perdure::app {

using boost::asio::posix::stream_descriptor;
using edge::Death;

int Server::take_over(HandOver taken, std::unique_ptr<edge::DescriptorChannel> predecessor) {
  predecessor_ = std::move(predecessor);
  const int control = taken.control;
  wait_for_signal();
  const auto failed = [&](const std::string& why) {
    log::error("{}", why);
    (void)predecessor_->send(word_failed, why);
    supervisor_.reset();  // no engine has the store any more when the edge before reads it
    return 1;
  };
  if (auto adopted = adopt(std::move(taken)); !adopted) return failed(adopted.error().message);
  if (auto initialised = supervisor_->initialise(); !initialised) return failed(initialised.error().message);
  const auto manifest = supervisor_->manifest();
  if (!manifest) return failed(manifest.error().message);
  if (!predecessor_->send(word_ready, manifest->text())) log::warning("the edge before is gone");
  ConnectionsReceiver receiver;
  const auto death = wait_for_word(receiver);
  if (!death) return failed(death.error().message);
  auto given = receiver.connections();
  if (!given && !predecessor_->ended()) return failed(given.error().message);
  if (auto started = supervisor_->start(*death); !started) return failed(started.error().message);
  if (auto listening = rpc_->start(control); !listening) return failed(listening.error().message);
  (void)predecessor_->send(word_serving);
  connections_.take(given ? std::move(*given) : edge::HandedConnections());  // the edge before has taken its hands off them
  if (auto http = administration_.start_http(); !http) log::error("{}", http.error().message);
  supervisor_->upgrade_step(fmt::format("edge {}, version {}, has taken over", getpid(), PERDURE_VERSION));
  supervisor_->on_engine_death([this](const std::string& why) { fail_probation(why); });
  say_ready();
  if (stop_wanted_) stop(nullptr);
  return serve();
}

// As long as the edge before is there, it can take back.
bool Server::on_probation() {
  if (!predecessor_) return false;
  (void)predecessor_->receive();
  return !predecessor_->ended();
}

void Server::fail_probation(const std::string& why) {
  if (!on_probation() || stopping_) return;
  log::error("{}: the edge before takes back", why);
  supervisor_->give_up();
  connections_.pause();
  (void)send_connections(*predecessor_, connections_.give_away());
  (void)predecessor_->send(word_failed, why);
  gone_over_ = true;  // backwards: files and control socket are the other's
  exit_code_ = 1;
  stopped_ = true;
}

Result<> Server::adopt(HandOver taken) {
  started_ = std::chrono::steady_clock::time_point(Duration(taken.started_us));
  directory_.emplace(StateDirectory::adopt(config_.state.directory, taken.lock));
  configuration_ = taken.configuration;
  add_methods();
  make_rpc();
  live_.emplace(LiveState::adopt(config_.state, taken.live_folder, taken.live_bytes));
  if (auto opened = administration_.open_region(taken.metrics); !opened) return opened;
  take_log_levels(config_.log, live_->log_levels());
  if (taken.connections_layout != edge::handed_layout && !taken.listeners.empty())
    return fail(fmt::format("the edge before hands over connections in layout {}, and this one reads only {}", taken.connections_layout,
                            edge::handed_layout));
  edge::raise_descriptor_limit();
  if (auto adopted = connections_.adopt(config_, taken.listeners, taken.rings); !adopted) return adopted;
  auto sockets = edge::UdpSockets::adopt(std::move(taken.sockets), taken.workers);
  if (!sockets) return std::unexpected(sockets.error());
  auto region = edge::SharedRegion::map(taken.region);
  if (!region || (*region)->worker_count() != taken.workers) {
    // Another layout. An engine that was told to stop has left nothing in it.
    log::notice("the receive region of the edge before is of another version: a new one is made");
    region = edge::SharedRegion::create(taken.workers);
  }
  if (!region) return std::unexpected(region.error());
  auto options = supervisor_options();
  if (!options) return std::unexpected(options.error());
  options->engine_starts = taken.engine_starts;
  supervisor_.emplace(context_, std::move(*options), std::move(*sockets), std::move(*region));
  return {};
}

// How the engine before has ended: the edge before says so, or it has died, and its engines with it.
Result<Death> Server::wait_for_word(ConnectionsReceiver& given) {
  stream_descriptor readable(context_, dup(predecessor_->descriptor()));
  std::optional<Death> death;
  while (!death) {
    if (stop_wanted_) return fail("the server is stopping");
    bool changed = false;
    readable.async_wait(stream_descriptor::wait_read, [&](boost::system::error_code) { changed = true; });
    while (!changed && !stop_wanted_) context_.run_one_for(100ms);
    while (const auto message = predecessor_->receive())
      if (!given.take(*message) && message->type == word_go) death = edge::death_from(message->text).value_or(Death::Killed);
    if (!death && predecessor_->ended()) {
      log::warning("the edge before has ended before it gave the word: this one takes over");
      StateDirectory::wait_for_engines(directory_->path());
      death = Death::Killed;
    }
    if (!changed) {
      readable.cancel();
      context_.poll();
    }
  }
  return *death;
}

}  // namespace perdure::app
