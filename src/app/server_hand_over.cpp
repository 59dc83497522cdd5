// The edge that is replaced. It stays until its successor has served for the probation, and takes everything back if that one ends before.
// docs/decisions/0034-an-edge-hands-over.md says what each death leads to.
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>
#include <thread>
#include <utility>

#include "app/server.hpp"
#include "app/server_successor.hpp"
#include "base/logging.hpp"

namespace perdure::app {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using boost::asio::posix::stream_descriptor;
using edge::Death;
using edge::Manifest;

namespace {

constexpr Duration serving_deadline = 10s;  // from the word to go
constexpr Duration relay_check_interval = 200ms;

volatile std::sig_atomic_t told_to_leave = 0;

}  // namespace

void Server::upgrade_edge(const edge::UpgradeRequest& request, Done done) {
  if (getpid() == 1) return done(rpc_fail("the edge is process 1 of a container, which ends with it; upgrade the engine alone"));
  auto binary = edge::Binary::open(request.binary);
  if (!binary) return done(rpc_fail(binary.error().message));
  if (auto reserved = supervisor_->reserve(); !reserved) return done(rpc_fail(reserved.error().message));
  const auto give_up = [&](const std::string& why) {
    supervisor_->unreserve();
    done(rpc_fail(why));
  };
  const auto pair = edge::DescriptorChannel::make_pair();
  if (!pair) return give_up(pair.error().message);
  const auto pid = edge::spawn_edge(**binary, {"run", "--take-over", std::to_string(pair->second)}, pair->second);
  close(pair->second);
  const int pidfd = pid ? static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)) : -1;
  if (!pid || pidfd < 0) {
    close(pair->first);
    return give_up(pid ? "pidfd_open failed" : pid.error().message);
  }
  successor_ = std::make_unique<Successor>(context_, request, request.binary, *pid, pidfd, pair->first, std::move(done));
  supervisor_->upgrade_step(fmt::format("{} is started as the next edge (process {})", request.binary, *pid));
  HandOver given;
  given.config_path = config_.path;
  given.live_folder = live_->folder();
  given.live_bytes = live_->max_bytes();
  given.engine_starts = supervisor_->status().engine_starts;
  given.started_us = std::chrono::duration_cast<Duration>(started_.time_since_epoch()).count();
  given.workers = supervisor_->region().worker_count();
  given.lock = directory_->lock();
  given.control = rpc_->descriptor();
  given.configuration = configuration_;
  given.region = supervisor_->region().descriptor();
  given.metrics = administration_.region();
  given.sockets = supervisor_->sockets().descriptors();
  given.listeners = connections_.listeners();
  given.rings = connections_.engine_descriptors();
  const bool sent = send_hand_over(successor_->channel, given);
  watch_successor();
  if (!sent) return successor_failed("it does not take what is handed over");
  flush_successor();
}

void Server::watch_successor() {
  auto& next = *successor_;
  next.death.async_wait(stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error || !successor_) return;
    read_successor();  // what it said before it ended
    if (successor_) successor_failed("it ended");
  });
  next.deadline.expires_after(next.request.patience);
  next.deadline.async_wait([this](boost::system::error_code error) {
    if (!error && successor_)
      successor_failed(fmt::format("it has not initialised within {} s", static_cast<double>(successor_->request.patience.count()) / 1e6));
  });
  wait_for_successor();
}

// What did not fit into the socket's buffer at once.
void Server::flush_successor() {
  if (!successor_->channel.wants_write()) return;
  successor_->readable.async_wait(stream_descriptor::wait_write, [this](boost::system::error_code error) {
    if (error || !successor_) return;
    if (!successor_->channel.flush()) return successor_failed("it does not take what is handed over");
    flush_successor();
  });
}

void Server::wait_for_successor() {
  successor_->readable.async_wait(stream_descriptor::wait_read, [this](boost::system::error_code error) {
    if (error || !successor_) return;
    read_successor();
    if (successor_ && !successor_->channel.ended()) wait_for_successor();
  });
}

void Server::read_successor() {
  while (successor_) {
    const auto message = successor_->channel.receive();
    if (!message) return;
    on_successor(*message);
  }
}

void Server::on_successor(const edge::DescriptorChannel::Message& message) {
  using Step = Successor::Step;
  if (successor_->given_back.take(message)) return;
  for (const int descriptor : message.descriptors) close(descriptor);
  if (message.type == word_ready && successor_->step == Step::Starting) return successor_ready(message.text);
  if (message.type == word_failed) return successor_failed(message.text);
  if (message.type == word_serving && successor_->step == Step::TakingOver) return successor_serves();
  if (message.type == word_leaving) return go_over(rpc_fail("the server is stopping"));
  log::warning("the next edge says '{}', which means nothing now", message.type);
}

void Server::successor_ready(const std::string& text) {
  const auto manifest = Manifest::parse(text);
  if (!manifest) return successor_failed(manifest.error().message);
  if (auto may = supervisor_->may_follow(*manifest, successor_->request.one_way); !may) return successor_failed(may.error().message);
  successor_->version = manifest->version;
  supervisor_->upgrade_step(fmt::format("version {} has initialised", manifest->version));
  supervisor_->when_settled([this] {
    if (successor_) hand_over_engine();  // with a spare to go back to
  });
}

void Server::hand_over_engine() {
  successor_->step = Successor::Step::Releasing;
  successor_->stopped_at = std::chrono::steady_clock::now();
  successor_->deadline.expires_after(serving_deadline);
  successor_->deadline.async_wait([this](boost::system::error_code error) {
    if (!error && successor_) successor_failed("it has not taken over in time");
  });
  ready_ = false;
  rpc_->pause();
  administration_.stop_http();
  connections_.pause();
  supervisor_->release([this](Death death) {
    successor_->released = death;
    successor_->handed = connections_.give_away();
    if (!successor_->failure.empty()) return successor_failed(successor_->failure);
    supervisor_->upgrade_step(death == Death::Planned ? "the engine has let go of the store"
                                                      : "the engine ended before it had let go of the store");
    successor_->step = Successor::Step::TakingOver;
    if (!send_connections(successor_->channel, successor_->handed) || !successor_->channel.send(word_go, edge::name(death)))
      successor_failed("it does not hear the word to go");
  });
}

void Server::successor_serves() {
  auto& next = *successor_;
  next.step = Successor::Step::Probation;
  next.handed = {};
  next.pause = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - next.stopped_at);
  supervisor_->upgrade_step(fmt::format("it has taken over; pause {:.1f} ms", static_cast<double>(next.pause.count()) / 1000));
  manager_.main_process(next.pid);
  next.deadline.expires_after(next.request.probation);
  next.deadline.async_wait([this](boost::system::error_code error) {
    if (error || !successor_) return;
    go_over(Json{{"version", successor_->version},
                 {"binary", successor_->program},
                 {"edge", successor_->pid},
                 {"sessions_stay", connections_.relayed()},
                 {"sessions_stay_with", getpid()},
                 {"pause_us", successor_->pause.count()},
                 {"longest_pause_us", successor_->pause.count()}});
  });
}

// It is ended if it has not, and what it had comes back.
void Server::successor_failed(const std::string& why) {
  using Step = Successor::Step;
  auto& next = *successor_;
  const auto step = next.step;
  (void)kill(next.pid, SIGKILL);
  if (step == Step::Releasing && next.failure.empty() && !supervisor_->is_away()) {
    next.failure = why;  // until the engine here has let go
    next.death.cancel();
    next.deadline.cancel();
    return;
  }
  const auto failed = std::move(successor_);
  siginfo_t info{};
  (void)waitid(P_PID, static_cast<id_t>(failed->pid), &info, WEXITED);
  const bool by_us = info.si_code == CLD_KILLED && info.si_status == SIGKILL && why != "it ended";
  const auto end = by_us ? "" : fmt::format(" ({} {})", info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
  const auto text = fmt::format("{}: {}{}", failed->program,
                                info.si_code == CLD_EXITED && info.si_status == 127 ? "it is no program for this machine" : why, end);
  log::error("upgrade of the edge: {}", text);
  supervisor_->unreserve();
  if (step == Step::Starting) return failed->done(rpc_fail(text));
  supervisor_->upgrade_step(fmt::format("{}; the edge before takes back", text));
  StateDirectory::wait_for_engines(directory_->path());  // they end with it, and hold the store until then
  manager_.main_process(getpid());
  connections_.take(connections_to_take_back(*failed));
  supervisor_->take_back(step == Step::Releasing ? failed->released : Death::Killed, [this, text, done = failed->done] {
    ready_ = true;
    rpc_->resume();
    if (auto again = administration_.start_http(); !again) log::error("{}", again.error().message);
    done(rpc_fail(text + "; the edge before serves again"));
  });
}

// Until it served it had read nothing from them, and they are still here. A successor that gave up has given them back; one that was killed
// has not, and they are closed.
edge::HandedConnections Server::connections_to_take_back(Successor& failed) {
  if (failed.step != Successor::Step::Probation) return std::move(failed.handed);
  auto given_back = failed.given_back.connections();
  if (given_back) return std::move(*given_back);
  log::error("{}", given_back.error().message);
  return {};
}

// SIGTERM or SIGINT to this process during the exchange: meant for the server.
void Server::stop_successor(int signal_number) {
  using Step = Successor::Step;
  if (successor_->step == Step::Starting) {
    successor_failed("the server is stopping");
    return stop(nullptr);
  }
  (void)kill(successor_->pid, signal_number);
}

// This process has nothing any more that the next one does not have.
void Server::go_over(RpcResult result) {
  const auto next = std::move(successor_);
  if (result) log::notice("edge {} has taken over, this one leaves", next->pid);
  gone_over_ = true;
  relay_until_ = std::chrono::steady_clock::now() + next->request.deadline;
  next->done(std::move(result));
  stopped_ = true;
}

// Sessions of TLS cannot leave this process. It stays for them, without anything else that it had.
void Server::relay_on() {
  connections_.close();
  if (!gone_over_ || connections_.relayed() == 0) return;
  log::notice("{} TLS sessions stay with this process", connections_.relayed());
  signals_.clear();
  for (const int number : {SIGTERM, SIGINT}) (void)std::signal(number, [](int) { told_to_leave = 1; });
  (void)std::signal(SIGHUP, SIG_IGN);
  (void)std::signal(SIGCHLD, SIG_IGN);  // the next edge was started by this one
  (void)malloc_trim(0);
  while (connections_.relayed() > 0 && told_to_leave == 0 && std::chrono::steady_clock::now() < relay_until_)
    std::this_thread::sleep_for(relay_check_interval);
  log::notice("{}, this process leaves", connections_.relayed() == 0 ? "the last of its TLS sessions has ended" : "its TLS sessions end");
}

}  // namespace perdure::app
