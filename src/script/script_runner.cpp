#include "script/script_runner.hpp"

#include <bit>

#include "base/logging.hpp"
#include "proxy/routing_context.hpp"
#include "script/vm.hpp"

namespace perdure::script {

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

Result<> ScriptRunner::reload() {
  auto vm = Vm::load(options_, random_);
  if (!vm) return std::unexpected(vm.error());
  vm_ = std::move(*vm);
  ++counters_.reloads;
  return {};
}

std::size_t ScriptRunner::memory_bytes() const {
  return vm_->memory_bytes();
}

bool ScriptRunner::run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) {
  const std::shared_ptr<Vm> vm = vm_;
  if (name.empty()) {
    name = kind == proxy::RouteKind::Request ? "ksr_request_route" : "ksr_reply_route";
    if (kind == proxy::RouteKind::Reply && !vm->has_function(name)) return true;  // a script may do without it
  }
  Run run;
  run.context = &context;
  run.kind = kind;
  run.outer = current_;
  current_ = &run;
  void* const before = context.script_state;
  context.script_state = &run;
  ++counters_.runs;
  const auto called = vm->call(name, run);
  if (run.leave == Leave::Drop) context.drop = true;
  run.save();
  context.script_state = before;
  current_ = run.outer;
  if (!called) report(called.error().message);
  return called.has_value();
}

void ScriptRunner::save_variables(proxy::RoutingContext& context) {
  // A run that has ended has saved already.
  if (auto* run = static_cast<Run*>(context.script_state)) run->save();
}

// An error in every message must not fill the disk: the same one is logged at each power of two.
void ScriptRunner::report(std::string error) {
  ++counters_.errors;
  if (error != counters_.last_error || std::has_single_bit(counters_.errors))
    log::error("worker {}: script error {}: {}", worker_, counters_.errors, error);
  counters_.last_error = std::move(error);
}

}  // namespace perdure::script
