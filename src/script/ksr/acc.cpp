// KSR.acc: accounting. Transactions are accounted by flags, which need no function (docs/script.md).
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

const Function table[] = {
    {"acc", "acc_log_request", "string comment", Returns::Integer, routes::request | routes::failure | routes::branch_failure,
     "Writes a line about the request into the accounting log now: `comment` is a code and a reason, \"404 Not found\", or any text.",
     "If the process ends in this callback, the message is processed again, and the line is there twice. Lines by flags are not: their "
     "`id` tells.",
     [](Call& call) {
       if (!is_one_line(call.text(0))) return call.fail("a line break cannot stand there");
       return call.context().account(call.text(0));
     }},
};

}  // namespace

std::span<const Function> acc_functions() {
  return table;
}

}  // namespace perdure::script
