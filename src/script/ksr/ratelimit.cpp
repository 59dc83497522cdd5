// KSR.ratelimit: the pipes of KSR.pipelimit by their numbers, and a method of the request that chooses one.
#include "limit/pipes.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int answer(limit::Pipes::Answer result) {
  switch (result) {
    case limit::Pipes::Answer::Pass:
      return 1;
    case limit::Pipes::Answer::Refuse:
      return -1;
    case limit::Pipes::Answer::Unknown:
      break;
  }
  return -2;
}

int check_pipe(Call& call) {
  return answer(call.vm.pipes().check(std::to_string(call.number(0)), call.context().now));
}

// The pipe that is named after the method, `[pipe.INVITE]`, or else the one for all, `[pipe.all]`.
int check(Call& call) {
  const auto own = call.vm.pipes().check(call.message().method_name(), call.context().now);
  return answer(own == limit::Pipes::Answer::Unknown ? call.vm.pipes().check("all", call.context().now) : own);
}

const Function table[] = {
    {"ratelimit", "rl_check", "", Returns::Integer, routes::any,
     "Counts the message in the pipe of its method, `[pipe.INVITE]`, or in `[pipe.all]`: 1 it is within the limit, -1 it is not, -2 there "
     "is no "
     "such pipe.",
     "Pipes are named, where Kamailio has queues for methods; there are TAILDROP and RED. NETWORK and FEEDBACK, which measure the machine, "
     "do "
     "not exist.",
     check},
    {"ratelimit", "rl_check_pipe", "int number", Returns::Integer, routes::any, "The same in the pipe of that number, `[pipe.1]`.",
     "The same.", check_pipe},
};

}  // namespace

std::span<const Function> ratelimit_functions() {
  return table;
}

}  // namespace perdure::script
