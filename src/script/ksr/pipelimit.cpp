// KSR.pipelimit: rates of messages that all workers share.
#include "base/logging.hpp"
#include "limit/pipes.hpp"
#include "proxy/routing_context.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int answer(Call& call, limit::Pipes::Answer given) {
  switch (given) {
    case limit::Pipes::Answer::Pass:
      return 1;
    case limit::Pipes::Answer::Refuse:
      return -1;
    case limit::Pipes::Answer::Unknown:
      break;
  }
  log::error("script: there is no pipe {}, and no room for it", call.text(0));
  return -2;
}

int check(Call& call) {
  return answer(call, call.vm.pipes().check(call.text(0), call.context().now));
}

int check_limit(Call& call) {
  limit::PipeOptions options;
  options.name = call.text(0);
  const auto algorithm = limit::pipe_algorithm_from(call.text(1));
  if (!algorithm || call.number(2) < 0 || call.number(2) > UINT32_MAX) {
    log::error("script: pipe {}: {} with limit {} is not possible", call.text(0), call.text(1), call.number(2));
    return -2;
  }
  options.algorithm = *algorithm;
  options.limit = static_cast<std::uint32_t>(call.number(2));
  return answer(call, call.vm.pipes().check(options, call.context().now));
}

int is_active(Call& call) {
  return call.vm.pipes().is_active(call.text(0), call.context().now) ? 1 : -1;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view two_algorithms = "Algorithms TAILDROP and RED only; NETWORK and FEEDBACK give -2.";

const Function table[] = {
    {"pipelimit", "pl_check", "string pipe", integer, routes::any,
     "Counts the message. 1: it may pass; -1: the pipe is over its limit; -2: there is no such pipe.", "", check},
    {"pipelimit", "pl_check_limit", "string pipe, string algorithm, int limit", integer, routes::any,
     "The same; a pipe that is not there is made, and one that was made so gets the limit: messages in pipelimit.interval.", two_algorithms,
     check_limit},
    {"pipelimit", "pl_active", "string pipe", integer, routes::any, "Messages have been counted in this interval or the one before.", "",
     is_active},
};

}  // namespace

std::span<const Function> pipelimit_functions() {
  return table;
}

}  // namespace perdure::script
