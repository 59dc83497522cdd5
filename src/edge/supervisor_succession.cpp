// The part of the supervisor that starts processes, listens to them, and decides which of them serves next.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "base/logging.hpp"
#include "edge/supervisor.hpp"

namespace perdure::edge {

using std::chrono::steady_clock;

namespace {

constexpr Duration quick = 1s;  // an engine that dies sooner than that after it attached is a sign of a crash loop

// The first few deaths in a row cost no delay, then it doubles up to a second.
Duration back_off(std::uint32_t failures, Duration first, Duration most) {
  if (failures == 0) return {};
  return std::min<Duration>(first * (std::int64_t{1} << std::min(failures - 1, 20U)), most);
}

}  // namespace

Result<std::unique_ptr<EngineProcess>> Supervisor::spawn(const std::shared_ptr<const Binary>& binary) {
  EngineCommand command{binary, options_.engine_arguments, options_.engine_descriptors};
  command.descriptors.push_back({"--shared", {region_->descriptor()}});
  command.descriptors.push_back({"--sockets", sockets_.descriptors()});
  return EngineProcess::spawn(context_, command);
}

void Supervisor::watch(EngineProcess& process) {
  process.death.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, &process](boost::system::error_code error) {
    if (!error) on_death(process);
  });
  watch_channel(process);
}

void Supervisor::watch_channel(EngineProcess& process) {
  process.readable.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, &process](boost::system::error_code error) {
    if (error || process.gone) return;
    const bool open = process.channel.fill();
    while (auto received = process.channel.take()) on_message(process, std::move(*received));
    if (open) return watch_channel(process);
    // It closed its end or speaks nonsense. Mostly it is just ending: how, its exit status will say. check() ends it if it does not.
    process.closed = true;
    process.closed_at = steady_clock::now();
  });
}

void Supervisor::on_message(EngineProcess& process, Channel::Received received) {
  switch (received.type) {
    case Message::Initialised:
      process.phase = Phase::Waiting;
      process.manifest = Manifest::parse(received.payload);
      if (upgrade_ && &process == upgrade_->candidate.get()) return candidate_initialised();
      spare_failures_ = 0;
      status_.spare_error.clear();
      if (&process == spare_.get()) write_pid("spare.pid", process.pid);
      if (engine_wanted_) need_engine();
      try_switch();
      break;
    case Message::InitialiseFailed:
    case Message::AttachFailed:
      process.error = std::move(received.payload);
      break;
    case Message::Attached:
      if (process.phase == Phase::Attaching) on_attached(process, std::move(received.payload));
      break;
    case Message::Stopped:
      if (process.phase == Phase::Stopping) on_stopped(process);
      break;
    case Message::RpcResponse:
      calls_.on_answer(received.payload);
      break;
    case Message::ReloadResult:
      if (auto done = std::exchange(reloaded_, nullptr)) {
        if (!received.payload.empty()) return done(fail(received.payload));
        if (spare_) spare_->kill();  // its successor loads the new files
        spare_failures_ = 0;
        done({});
      }
      break;
    default:
      log::warning("engine {} sent message {}, which engines do not send", process.pid, static_cast<int>(received.type));
  }
}

void Supervisor::attach(EngineProcess& process) {
  process.phase = Phase::Attaching;
  process.since = steady_clock::now();
  if (!process.channel.send(Message::Attach, name(death_))) process.kill();
}

// Brings the next engine to work: the spare if it is ready, else the one that is coming up.
void Supervisor::need_engine() {
  engine_wanted_ = true;
  if (engine_ || stopped_ || away_) return;
  if (upgrade_ && upgrade_->step == Upgrade::Step::Switching && upgrade_->candidate) return promote(upgrade_->candidate);
  if (!spare_) {
    if (!spare_pending_) start_spare(back_off(spare_failures_, 100ms, 5s));
    return;
  }
  if (spare_->phase != Phase::Waiting) return;
  const Duration delay = back_off(quick_deaths_ > 3 ? quick_deaths_ - 3 : 0, 10ms, 1s);
  if (delay == Duration{}) return promote(spare_);
  promote_timer_.expires_after(delay);
  promote_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) promote(spare_);
  });
}

// `next`: the spare, or the candidate of an upgrade.
void Supervisor::promote(std::unique_ptr<EngineProcess>& next) {
  if (engine_ || !next || next->phase != Phase::Waiting || stopped_) return;
  engine_wanted_ = false;
  const bool was_spare = &next == &spare_;
  engine_ = std::move(next);
  write_pid("engine.pid", engine_->pid);  // first: whoever waits for the end of all engines finds it
  attach(*engine_);
  if (was_spare)
    write_pid("spare.pid", 0);
  else
    candidate_promoted();
}

void Supervisor::on_attached(EngineProcess& process, std::string report) {
  process.phase = Phase::Running;
  const auto now = steady_clock::now();
  ++status_.engine_starts;
  status_.serving = true;
  status_.last_death = death_;
  status_.last_pause = death_at_ == steady_clock::time_point{} ? Duration{} : std::chrono::duration_cast<Duration>(now - death_at_);
  status_.longest_pause = std::max(status_.longest_pause, status_.last_pause);
  status_.all_pauses += status_.last_pause;
  status_.last_attach = std::move(report);
  attached_at_ = now;
  if (death_ != Death::None)
    log::notice("engine {} has taken over {:.1f} ms after the one before {}", process.pid,
                static_cast<double>(status_.last_pause.count()) / 1000, how(death_));
  calls_.ask_again(process.channel);
  start_spare({});
  upgrade_attached();
  if (const auto serving = std::exchange(taken_back_, nullptr)) serving();
  try_switch();
}

// It has let go of the store.
void Supervisor::on_stopped(EngineProcess& process) {
  if (stopped_) {
    stopped_orderly_ = true;
    return;
  }
  stop_timer_.cancel();
  process.since = steady_clock::now();
  leaving_.push_back(std::move(engine_));
  engine_left(Death::Planned, stop_sent_at_);
  if (released_) return gone_away();
  need_engine();
}

void Supervisor::start_spare(Duration delay) {
  if (spare_ || stopped_ || spare_pending_) return;
  spare_pending_ = true;
  spare_timer_.expires_after(delay);
  spare_timer_.async_wait([this](boost::system::error_code error) {
    spare_pending_ = false;
    if (error || spare_ || stopped_) return;
    auto process = spawn(binary_);
    if (!process) {
      status_.spare_error = process.error().message;
      log::error("no spare engine: {}", status_.spare_error);
      return start_spare(back_off(++spare_failures_, 100ms, 5s));
    }
    spare_ = std::move(*process);
    watch(*spare_);
  });
}

void Supervisor::on_death(EngineProcess& process) {
  // What it said before it ended is still in the channel.
  (void)process.channel.fill();
  while (auto received = process.channel.take()) on_message(process, std::move(*received));
  siginfo_t info{};
  (void)waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED);
  std::erase_if(leaving_, [](const auto& other) { return other->gone; });
  process.gone = true;
  process.by_kill = info.si_code == CLD_KILLED && info.si_status == SIGKILL;
  process.end = fmt::format("{} {}", info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
  auto* const owner = owner_of(process);
  if (!owner) return;
  const bool was_engine = owner == &engine_, was_spare = owner == &spare_;
  leaving_.push_back(std::move(*owner));  // handlers of this process may still be running: it goes with the next death
  if (stopped_) {
    if (!engine_) finish_stop();
    return;
  }
  if (was_engine)
    engine_died(process);
  else if (was_spare)
    spare_died(process);
  else
    candidate_died(process);
}

// The place that holds it; null: it is leaving.
std::unique_ptr<EngineProcess>* Supervisor::owner_of(const EngineProcess& process) {
  if (engine_.get() == &process) return &engine_;
  if (spare_.get() == &process) return &spare_;
  return upgrade_ && upgrade_->candidate.get() == &process ? &upgrade_->candidate : nullptr;
}

void Supervisor::spare_died(const EngineProcess& process) {
  write_pid("spare.pid", 0);
  if (!process.error.empty() || process.phase == Phase::Initialising) {
    status_.spare_error = process.error.empty() ? "the spare engine ended while it initialised" : process.error;
    if (starting_)
      start_error_ = status_.spare_error;
    else
      log::error("no spare engine: {}", status_.spare_error);
    ++spare_failures_;
  }
  if (!starting_) start_spare(back_off(spare_failures_, 100ms, 5s));
}

void Supervisor::engine_died(const EngineProcess& process) {
  const auto now = steady_clock::now();
  const Death death = process.hung ? Death::Hung : process.by_kill ? Death::Killed : Death::Crashed;
  // Only what ended while it served counts as the death of an engine: one that failed to attach had nothing in work that was not there
  // before.
  if (process.phase == Phase::Running || process.phase == Phase::Stopping) {
    stop_timer_.cancel();
    engine_left(death, now);
    // A kill from outside, however often, is no sign of a crash loop.
    if (now - attached_at_ >= quick)
      quick_deaths_ = 0;
    else if (death != Death::Killed)
      ++quick_deaths_;
    log::warning("engine {} is gone ({}, {})", process.pid, name(death), process.end);
    if (engine_death_) engine_death_(fmt::format("its engine {} ({})", how(death), process.end));
  } else {
    ++quick_deaths_;
    // One that crashed on what it found is blamed like one that served, so that the next but one goes on without it. One that said why had
    // nothing in work.
    const bool crashed = process.error.empty() || process.hung;
    engine_left(crashed ? death : death_, death_at_);
    const std::string why = process.error.empty() ? fmt::format("it ended while it attached ({})", process.end) : process.error;
    log::error("engine {} could not attach: {}", process.pid, why);
    constexpr std::uint32_t first_attempts = 4;
    if (starting_ && (!crashed || quick_deaths_ >= first_attempts)) start_error_ = why;
  }
  if (auto done = std::exchange(reloaded_, nullptr)) done(fail("the engine ended during the reload"));
  upgraded_engine_died(process);
  if (released_) return gone_away();
  if (start_error_.empty()) need_engine();
}

void Supervisor::engine_left(Death death, steady_clock::time_point at) {
  death_ = death;
  death_at_ = at;
  status_.serving = false;
  for (std::uint32_t worker = 0; worker < region_->worker_count(); ++worker)
    region_->mark(worker).tick_us.store(0, std::memory_order_relaxed);
  write_pid("engine.pid", 0);
}

}  // namespace perdure::edge
