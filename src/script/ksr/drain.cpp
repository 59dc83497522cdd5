// KSR.drain: whether the server is to take new dialogs (`perdure drain`).
#include "proxy/proxy.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

const proxy::Drain& drain(const Call& call) {
  return call.context().proxy.drain();
}

int is_on(Call& call) {
  return drain(call).on ? 1 : 0;
}
int refuses_registrations(Call& call) {
  return drain(call).on && drain(call).registrations ? 1 : 0;
}

int reject(Call& call) {
  if (!drain(call).on) return -1;
  call.run.save();
  return call.context().refuse_by_drain();
}

const Function table[] = {
    {"drain", "is_on", "", Returns::Boolean, routes::any,
     "Whether `perdure drain` has been said. The callback hears of new dialogs at such a time with `--by-script` only; those that it lets "
     "pass are relayed as ever.",
     "", is_on},
    {"drain", "registrations", "", Returns::Boolean, routes::any, "The same, with `--registrations`.", "", refuses_registrations},
    {"drain", "reject", "", Returns::Integer, routes::answering,
     "Answers with the code and the Retry-After of `perdure drain`; -1: the server does not drain.", "", reject},
};

}  // namespace

std::span<const Function> drain_functions() {
  return table;
}

}  // namespace perdure::script
