// Variables of the transaction: flags, branch, reply code.
#include <fmt/format.h>

#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

std::uint32_t& flags(Call& call, char which) {
  if (which == 'm') return call.context().flags;
  return which == 'b' ? call.context().target.flags : call.run.script_flags;
}

template <char which>
V number(Call& call, P) {
  return V::of(std::int64_t{flags(call, which)});
}
template <char which>
V hexadecimal(Call& call, P) {
  call.vm.scratch = fmt::format("{:08X}", flags(call, which));
  return V::of(call.vm.scratch);
}
template <char which>
bool set(Call& call, P, const Value* value) {
  if (value && (!value->is_number || value->number < 0 || value->number > 0xFFFFFFFFLL)) {
    (void)call.fail("flags are a number of 32 bits");
    return false;
  }
  flags(call, which) = value ? static_cast<std::uint32_t>(value->number) : 0;
  return true;
}

const VariableClass table[] = {
    {"T_branch_idx",
     {},
     "index of the branch in branch, reply and failure routes; else null",
     [](Call& c, P) { return c.context().branch >= 0 ? V::of(std::int64_t{c.context().branch}) : V{}; }},
    {"T_reply_code",
     {},
     "status code of the reply, in a failure route of the one that won; 0 if there is none",
     [](Call& c, P) { return V::of(std::int64_t{c.context().status}); }},
    {"mf", {}, "message flags as a number", number<'m'>, set<'m'>},
    {"mF", {}, "message flags in hexadecimal", hexadecimal<'m'>},
    {"bf", {}, "branch flags as a number", number<'b'>, set<'b'>},
    {"bF", {}, "branch flags in hexadecimal", hexadecimal<'b'>},
    {"sf", {}, "script flags as a number", number<'s'>, set<'s'>},
    {"sF", {}, "script flags in hexadecimal", hexadecimal<'s'>},
};

}  // namespace

std::span<const VariableClass> transaction_variables() {
  return table;
}

}  // namespace perdure::script
