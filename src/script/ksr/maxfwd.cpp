// KSR.maxfwd: Max-Forwards.
#include <algorithm>

#include "script/ksr/function.hpp"

namespace perdure::script {
namespace {

const Function table[] = {
    {"maxfwd", "process_maxfwd", "int added", Returns::Integer, routes::request,
     "-1: Max-Forwards is 0 and the request must be answered with 483. A request without the header gets one with that number.",
     "The header is counted down when the request is forwarded, also without this function; one is added in any case, with 70.",
     [](Call& call) {
       return call.context().process_max_forwards(static_cast<std::uint32_t>(std::clamp<std::int64_t>(call.number(0), 0, 255)));
     }},
    {"maxfwd", "is_maxfwd_lt", "int limit", Returns::Integer, routes::with_request,
     "Max-Forwards is less than the limit; -2: there is no such header.", "",
     [](Call& call) {
       const auto hops = call.message().max_forwards();
       if (!hops) return call.message().find(sip::HeaderName::MaxForwards) ? -3 : -2;
       return *hops < call.number(0) ? 1 : -1;
     }},
};

}  // namespace

std::span<const Function> maxfwd_functions() {
  return table;
}

}  // namespace perdure::script
