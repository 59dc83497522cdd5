#include "edge/supervisor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/logging.hpp"

namespace perdure::edge {

using std::chrono::steady_clock;

namespace {

constexpr Duration stop_deadline = 5s;
constexpr Duration closed_deadline = 500ms;  // an engine that has closed its channel has so long to end by itself

std::uint64_t monotonic_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count());
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& context, SupervisorOptions options, UdpSockets sockets,
                       std::unique_ptr<SharedRegion> region)
    : context_(context),
      options_(std::move(options)),
      sockets_(std::move(sockets)),
      region_(std::move(region)),
      binary_(options_.binary),
      check_timer_(context),
      spare_timer_(context),
      promote_timer_(context),
      stop_timer_(context) {
  status_.engine_starts = options_.engine_starts;
}

Supervisor::~Supervisor() {
  for (auto* process : {engine_.get(), spare_.get(), upgrade_ ? upgrade_->candidate.get() : nullptr})
    if (process) {
      process->kill();
      process->reap();
    }
  for (const auto& process : leaving_) process->reap();
}

void Supervisor::write_pid(const char* file, pid_t pid) const {
  if (options_.pid_directory.empty() || away_) return;
  const std::filesystem::path path = std::filesystem::path(options_.pid_directory) / file;
  std::error_code ignored;
  if (pid == 0) {
    std::filesystem::remove(path, ignored);
    return;
  }
  // Beside and renamed: a reader sees the old number or the new one.
  const auto fresh = path.string() + ".new";
  std::ofstream(fresh) << pid << '\n';
  std::filesystem::rename(fresh, path, ignored);
}

Result<> Supervisor::initialise() {
  auto first = spawn(binary_);
  if (!first) return std::unexpected(first.error());
  starting_ = true;
  away_ = true;  // until start(): neither the store nor the process ids are ours
  spare_ = std::move(*first);
  watch(*spare_);
  arm_check();
  return run_until([this] { return spare_ && spare_->phase == Phase::Waiting; });
}

Result<> Supervisor::start(Death before) {
  death_ = before;
  if (!spare_)
    if (auto initialised = initialise(); !initialised) return initialised;
  away_ = false;
  need_engine();
  if (auto started = run_until([this] { return status_.serving; }); !started) return started;
  starting_ = false;
  write_pid("edge.pid", getpid());
  return {};
}

Result<> Supervisor::run_until(const std::function<bool()>& so) {
  const auto deadline = steady_clock::now() + options_.attach_deadline;
  while (!so() && start_error_.empty() && steady_clock::now() < deadline) context_.run_one_for(100ms);
  if (so()) return {};
  return fail(start_error_.empty() ? "the engine did not come up in time" : start_error_);
}

void Supervisor::arm_check() {
  check_timer_.expires_after(std::min<Duration>(options_.watchdog / 4, 250ms));
  check_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    check();
    arm_check();
  });
}

void Supervisor::check() {
  const auto now = steady_clock::now();
  if (engine_ && engine_->phase == Phase::Running) {
    const std::uint64_t now_us = monotonic_us();
    for (std::uint32_t worker = 0; worker < region_->worker_count() && !engine_->hung; ++worker) {
      const auto tick = region_->mark(worker).tick_us.load(std::memory_order_relaxed);
      if (tick == 0 || tick + static_cast<std::uint64_t>(options_.watchdog.count()) >= now_us) continue;
      log::error("worker {} of engine {} has not ticked for {} ms: it is killed", worker, engine_->pid, (now_us - tick) / 1000);
      engine_->hung = true;
      engine_->kill();
    }
  }
  for (const auto& process : leaving_)
    if (!process->gone && now - process->since > closed_deadline) process->kill();
  check_candidate(now);
  for (auto* process : {engine_.get(), spare_.get()}) {
    const bool slow = process && (process->phase == Phase::Initialising || process->phase == Phase::Attaching);
    if (slow && now - process->since > options_.attach_deadline) {
      process->error = "it took too long";
      process->hung = process->phase == Phase::Attaching;
      process->kill();
    }
    if (process && process->closed && now - process->closed_at > closed_deadline) process->kill();
    if (process && process->channel.wants_write()) (void)process->channel.flush();
  }
  calls_.expire(now);
}

void Supervisor::call_engine(std::string json, std::function<void(Result<std::string>)> done) {
  if (stopped_) return done(fail("the server is stopping"));
  calls_.add(std::move(json), std::move(done), engine_ && engine_->phase == Phase::Running ? &engine_->channel : nullptr);
}

void Supervisor::reload(std::string_view request, std::function<void(Result<>)> done) {
  if (!engine_ || engine_->phase != Phase::Running) return done(fail("no engine is running"));
  if (reloaded_) return done(fail("a reload is in progress"));
  if (upgrade_ || reserved_) return done(fail("an upgrade is in progress"));
  reloaded_ = std::move(done);
  if (!engine_->channel.send(Message::Reload, request))
    if (auto failed = std::exchange(reloaded_, nullptr)) failed(fail("the engine is gone"));
}

void Supervisor::stop(std::function<void(bool)> stopped) {
  if (stopped_) return;
  stopped_ = std::move(stopped);
  check_timer_.cancel();
  spare_timer_.cancel();
  promote_timer_.cancel();
  if (spare_) spare_->kill();
  end_upgrade(fail("the server is stopping"));
  if (!engine_) return boost::asio::post(context_, [this] { finish_stop(); });
  if (engine_->phase == Phase::Stopping) return;  // it has been told, and the timer runs
  if (engine_->phase == Phase::Running) return stop_engine();
  engine_->kill();
}

void Supervisor::stop_engine() {
  engine_->phase = Phase::Stopping;
  stop_sent_at_ = steady_clock::now();
  if (!engine_->channel.send(Message::Stop)) engine_->kill();
  stop_timer_.expires_after(stop_deadline);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !engine_ || engine_->phase != Phase::Stopping) return;
    log::error("engine {} did not stop in time: it is killed", engine_->pid);
    engine_->hung = true;
    engine_->kill();
  });
}

void Supervisor::finish_stop() {
  stop_timer_.cancel();
  calls_.fail_all("the server is stopping");
  for (const char* file : {"engine.pid", "spare.pid", "edge.pid"}) write_pid(file, 0);
  status_.serving = false;
  if (auto stopped = std::exchange(stopped_, [](bool) {})) stopped(stopped_orderly_);
}

SupervisorStatus Supervisor::status() const {
  const auto info = [](const std::unique_ptr<EngineProcess>& process) -> ProcessInfo {
    if (!process) return {};
    return {process->pid, process->binary->path(), process->manifest ? process->manifest->version : ""};
  };
  SupervisorStatus status = status_;
  status.edge = getpid();
  status.engine = info(engine_);
  status.spare = info(spare_);
  status.upgrading = upgrade_ != nullptr || reserved_;
  return status;
}

}  // namespace perdure::edge
