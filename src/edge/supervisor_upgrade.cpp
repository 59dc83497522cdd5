// The part of the supervisor that replaces the engine by one of another program.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/logging.hpp"
#include "edge/supervisor.hpp"

namespace perdure::edge {

using std::chrono::steady_clock;
using Step = Upgrade::Step;

namespace {

constexpr Duration attach_deadline = 5s;  // of a candidate: calls wait meanwhile, and there is one to go back to
constexpr std::size_t steps_max = 32;

double milliseconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1000;
}

}  // namespace

void Supervisor::upgrade(const UpgradeRequest& request, std::function<void(Result<UpgradeReport>)> done) {
  if (stopped_) return done(fail("the server is stopping"));
  if (upgrade_ || reserved_) return done(fail("an upgrade is in progress"));
  if (reloaded_) return done(fail("a reload is in progress"));
  auto binary = Binary::open(request.binary);
  if (!binary) return done(std::unexpected(binary.error()));
  upgrade_steps_.clear();
  auto candidate = spawn(*binary);
  if (!candidate) return done(std::unexpected(candidate.error()));
  upgrade_ = std::make_unique<Upgrade>(context_, request, std::move(*binary), std::move(done));
  upgrade_->candidate = std::move(*candidate);
  upgrade_step(fmt::format("{} is started (process {})", request.binary, upgrade_->candidate->pid));
  watch(*upgrade_->candidate);
}

void Supervisor::upgrade_step(std::string text) {
  log::notice("upgrade: {}", text);
  if (upgrade_steps_.size() < steps_max) upgrade_steps_.push_back(std::move(text));
}

void Supervisor::candidate_initialised() {
  auto& candidate = *upgrade_->candidate;
  const auto refuse = [&](const std::string& why) { end_upgrade(fail(fmt::format("{}: {}", upgrade_->binary->path(), why))); };
  if (!candidate.manifest) return refuse(candidate.manifest.error().message);
  if (auto may = may_follow(*candidate.manifest, upgrade_->request.one_way); !may) return refuse(may.error().message);
  upgrade_->step = Step::Ready;
  upgrade_step(fmt::format("version {} has initialised", candidate.manifest->version));
  try_switch();
}

Result<Manifest> Supervisor::manifest() const {
  const auto& process = engine_ ? engine_ : spare_;
  if (!process) return fail("no engine is there");
  return process->manifest;
}

// What is in the store was written by the engine that runs; if none does at this moment, by one of its program.
Result<> Supervisor::may_follow(const Manifest& next, bool one_way) const {
  const auto runs = manifest();
  if (!runs) return std::unexpected(runs.error());
  if (auto reads = next.reads_all_of(*runs); !reads)
    return fail(fmt::format("it does not know the layout of the store: {}", reads.error().message));
  if (auto back = runs->reads_all_of(next); !back && !one_way)
    return fail(fmt::format("there would be no way back to version {}, for which {}; with --one-way it is done all the same", runs->version,
                            back.error().message));
  return {};
}

Result<> Supervisor::reserve() {
  if (stopped_) return fail("the server is stopping");
  if (upgrade_ || reserved_) return fail("an upgrade is in progress");
  if (reloaded_) return fail("a reload is in progress");
  reserved_ = true;
  upgrade_steps_.clear();
  return {};
}

void Supervisor::release(std::function<void(Death)> released) {
  released_ = std::move(released);
  if (!engine_) return gone_away();
  if (engine_->phase == Phase::Running) return stop_engine();
  engine_->kill();  // it was just attaching
}

// The store is nobody's now.
void Supervisor::gone_away() {
  away_ = true;
  std::exchange(released_, nullptr)(death_);
}

void Supervisor::take_back(Death before, std::function<void()> serving) {
  away_ = false;
  taken_back_ = std::move(serving);
  death_ = before;
  write_pid("edge.pid", getpid());
  write_pid("spare.pid", spare_ && spare_->phase == Phase::Waiting ? spare_->pid : 0);
  need_engine();
}

void Supervisor::candidate_died(const EngineProcess& process) {
  const bool no_program = process.end == "exit code 127";
  const auto why = !process.error.empty() ? process.error
                   : no_program           ? "it is no program for this machine"
                                          : fmt::format("it ended while it initialised ({})", process.end);
  end_upgrade(fail(fmt::format("{}: {}", upgrade_->binary->path(), why)));
}

void Supervisor::check_candidate(steady_clock::time_point now) {
  if (!upgrade_) return;
  const auto& request = upgrade_->request;
  const bool may_go = upgrade_->step == Step::Initialising || upgrade_->step == Step::Ready;
  if (auto& candidate = upgrade_->candidate; may_go && candidate && now - candidate->since > request.patience) {
    const auto seconds = static_cast<double>(request.patience.count()) / 1e6;
    if (candidate->phase == Phase::Initialising)
      candidate->error = fmt::format("it has not initialised within {} s", seconds);
    else
      candidate->error = fmt::format("there was no engine to switch from and spare to go back to within {} s{}{}", seconds,
                                     status_.spare_error.empty() ? "" : "; no spare: ", status_.spare_error);
    candidate->kill();
  }
  if (upgrade_->step != Step::Attaching || !engine_ || now - engine_->since <= attach_deadline) return;
  engine_->error = "it took too long to attach";
  engine_->hung = true;
  engine_->kill();
}

// From a running engine, and with a spare of its binary to go back to.
void Supervisor::try_switch() {
  if (stopped_ || !engine_ || engine_->phase != Phase::Running || !spare_ || spare_->phase != Phase::Waiting) return;
  if (const auto settled = std::exchange(settled_, nullptr)) return settled();
  if (!upgrade_ || upgrade_->step != Step::Ready) return;
  upgrade_->step = Step::Switching;
  stop_engine();
}

void Supervisor::when_settled(std::function<void()> settled) {
  settled_ = std::move(settled);
  try_switch();
}

void Supervisor::candidate_promoted() {
  upgrade_->step = Step::Attaching;
  upgrade_step(death_ == Death::Planned ? "the engine has let go of the store"
                                        : fmt::format("the engine {} before it had let go of the store", how(death_)));
}

void Supervisor::upgrade_attached() {
  if (!upgrade_) return;
  if (upgrade_->step == Step::Attaching) {
    upgrade_->step = Step::Probation;
    upgrade_->pause = status_.last_pause;
    upgrade_step(fmt::format("it has taken over; pause {:.1f} ms", milliseconds(upgrade_->pause)));
    upgrade_->probation.expires_after(upgrade_->request.probation);
    upgrade_->probation.async_wait([this](boost::system::error_code error) {
      if (!error) probation_passed();
    });
  } else if (upgrade_->step == Step::GoingBack) {
    end_upgrade(fail(fmt::format("{}: {}; {} serves again", upgrade_->binary->path(), upgrade_->error, binary_->path())));
  }
}

void Supervisor::upgraded_engine_died(const EngineProcess& process) {
  if (!upgrade_ || (upgrade_->step != Step::Attaching && upgrade_->step != Step::Probation)) return;
  const bool served = upgrade_->step == Step::Probation;
  upgrade_->probation.cancel();
  upgrade_->step = Step::GoingBack;
  const auto seconds = std::chrono::duration<double>(steady_clock::now() - attached_at_).count();
  if (served)
    upgrade_->error = fmt::format("it {} {:.1f} s after it took over ({})", how(death_), seconds, process.end);
  else
    upgrade_->error = process.error.empty() ? fmt::format("it ended while it attached ({})", process.end) : process.error;
  upgrade_step(fmt::format("{}; going back to {}", upgrade_->error, binary_->path()));
  quick_deaths_ = 0;  // the fault of the other program
}

void Supervisor::probation_passed() {
  if (!upgrade_ || upgrade_->step != Step::Probation || !engine_ || !engine_->manifest) return;
  binary_ = upgrade_->binary;
  if (spare_) spare_->kill();  // its successor is of the new binary
  spare_failures_ = 0;
  end_upgrade(UpgradeReport{engine_->manifest->version, binary_->path(), upgrade_->pause});
}

void Supervisor::end_upgrade(Result<UpgradeReport> result) {
  if (!upgrade_) return;
  const auto ended = std::move(upgrade_);
  ended->probation.cancel();
  if (ended->candidate) {
    ended->candidate->since = steady_clock::now();
    ended->candidate->kill();
    leaving_.push_back(std::move(ended->candidate));
  }
  if (result)
    log::notice("upgrade: {} has passed its probation", result->binary);
  else
    log::error("upgrade: {}", result.error().message);
  ended->done(std::move(result));
}

}  // namespace perdure::edge
