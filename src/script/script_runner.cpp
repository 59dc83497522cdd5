#include "script/script_runner.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "base/logging.hpp"
#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "script/vm.hpp"

namespace perdure::script {

namespace {
constexpr std::size_t idle_runs_max = 64;
}

Result<> check_script(const ScriptOptions& options) {
  Random random(1);
  const auto vm = Vm::load(options, random);
  if (!vm) return std::unexpected(vm.error());
  return {};
}

ScriptRunner::ScriptRunner(const ScriptOptions& options, unsigned worker, Random random)
    : options_(options), worker_(worker), random_(random) {}
ScriptRunner::~ScriptRunner() = default;

Result<std::unique_ptr<ScriptRunner>> ScriptRunner::create(const ScriptOptions& options, unsigned worker, Random random) {
  std::unique_ptr<ScriptRunner> runner(new ScriptRunner(options, worker, random));
  auto vm = Vm::load(options, runner->random_);
  if (!vm) return std::unexpected(vm.error());
  runner->vm_ = std::move(*vm);
  return runner;
}

Result<std::shared_ptr<Vm>> ScriptRunner::load() {
  return Vm::load(options_, random_);
}

std::vector<std::string> ScriptRunner::functions_missing_in(const Vm& next) const {
  std::vector<std::string> missing;
  std::ranges::set_difference(vm_->functions(), next.functions(), std::back_inserter(missing));
  return missing;
}

std::shared_ptr<Vm> ScriptRunner::replace(std::shared_ptr<Vm> next) {
  ++counters_.reloads;
  return std::exchange(vm_, std::move(next));
}

Result<> ScriptRunner::reload() {
  auto vm = load();
  if (!vm) return std::unexpected(vm.error());
  (void)replace(std::move(*vm));
  return {};
}

std::size_t ScriptRunner::memory_bytes() const {
  return vm_->memory_bytes();
}

std::unique_ptr<Run> ScriptRunner::take_run() {
  if (idle_runs_.empty()) return std::make_unique<Run>();
  auto run = std::move(idle_runs_.back());
  idle_runs_.pop_back();
  return run;
}

bool ScriptRunner::run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) {
  if (name.empty()) {
    name = kind == proxy::RouteKind::Request ? "ksr_request_route" : "ksr_reply_route";
    if (kind == proxy::RouteKind::Reply && !vm_->has_function(name)) return true;  // a script may do without it
  }
  auto run = take_run();
  run->context = &context;
  run->kind = kind;
  run->outer = current_;
  run->vm = vm_;
  run->runner = mailbox_ ? this : nullptr;
  current_ = run.get();
  context.script_state = run.get();
  ++counters_.runs;
  const auto called = run->vm->call(name, *run);
  return ended(std::move(run), called);
}

bool ScriptRunner::ended(std::unique_ptr<Run> run, const Result<>& called) {
  proxy::RoutingContext& context = *run->context;
  current_ = run->outer;
  if (!called) context.wait = 0;  // it failed on its way to a wait
  if (context.wait) {
    run->locks().release_all();  // others would stand still while this one waits
    waiting_[&context] = std::move(run);
    return true;
  }
  if (run->leave == Leave::Drop) context.drop = true;
  run->save();
  context.script_state = nullptr;
  run->reset();
  if (idle_runs_.size() < idle_runs_max) idle_runs_.push_back(std::move(run));
  if (!called) report(called.error().message);
  return called.has_value();
}

bool ScriptRunner::resume(proxy::RoutingContext& context, bool timed_out) {
  const auto found = waiting_.find(&context);
  PERDURE_ASSERT(found != waiting_.end());
  auto run = std::move(found->second);
  waiting_.erase(found);
  current_ = run.get();
  // Its own copy of the VM's handle: the run gives its one back at its end.
  const std::shared_ptr<Vm> vm = run->vm;
  if (run->continue_in.empty()) {
    const auto called = vm->resume(*run, timed_out ? nullptr : &finish_);
    return ended(std::move(run), called);
  }
  const std::string name = std::exchange(run->continue_in, {});
  run->leave = Leave::No;
  if (!timed_out) vm->take_answer(*run, finish_);
  const auto called = vm->call(name, *run);
  return ended(std::move(run), called);
}

void ScriptRunner::abandon(proxy::RoutingContext& context) {
  const auto found = waiting_.find(&context);
  PERDURE_ASSERT(found != waiting_.end());
  Run& run = *found->second;
  if (run.continue_in.empty()) run.vm->drop(run);
  context.script_state = nullptr;
  waiting_.erase(found);
}

void Waker::operator()(std::function<int(Call&)> finish) const {
  runner_->mailbox_->post(
      [runner = runner_, wait = wait_, finish = std::move(finish)](proxy::Proxy& proxy, Time now, proxy::Outputs& outputs) {
        runner->finish_ = finish;
        (void)proxy.resume(wait, now, outputs);
        runner->finish_ = nullptr;
      });
}

void ScriptRunner::save_variables(proxy::RoutingContext& context) {
  // A run that has ended has saved already.
  if (auto* run = static_cast<Run*>(context.script_state)) run->save();
}

void ScriptRunner::complete_account_line(proxy::RoutingContext& context, std::string& line) {
  if (options_.wall_us) line.insert(0, "timestamp=" + std::to_string(options_.wall_us() / 1'000'000) + ";");
  if (options_.account_extra.empty()) return;
  Run run;  // nothing of the script runs, its variables are read
  run.context = &context;
  run.vm = vm_;
  vm_->append_account_extra(run, line);
}

// An error in every message must not fill the disk: the same one is logged at each power of two.
void ScriptRunner::report(std::string error) {
  ++counters_.errors;
  if (error != counters_.last_error || std::has_single_bit(counters_.errors))
    log::error("worker {}: script error {}: {}", worker_, counters_.errors, error);
  counters_.last_error = std::move(error);
}

}  // namespace perdure::script
