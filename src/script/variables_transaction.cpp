// Variables of the transaction: flags, branch, reply code.
#include <fmt/format.h>

#include "proxy/work.hpp"
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

V transaction_attribute(Call& call, P variable) {
  const auto& context = call.context();
  switch (variable.keyword) {
    case 0:
      return context.work ? V::of(std::int64_t{context.work->id.value}) : V{};
    case 1:
      return context.work ? V::of(std::int64_t{context.work->header.nonce}) : V{};
    case 2:
      return V::of(std::int64_t{context.status});
    default:
      return context.branch >= 0 ? V::of(std::int64_t{context.branch}) : V{};
  }
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
    {"T_reply_reason",
     {},
     "reason phrase of the reply in a reply route; else null",
     [](Call& c, P) { return c.message().is_response() ? V::of(c.message().reason()) : V{}; }},
    {"T", VariableArgument::Keyword,
     "`$T(id_index)` and `$T(id_label)`: the transaction's name for t_continue and ts_append_to, null if there is none; `$T(reply_code)`, "
     "`$T(branch_index)`: as `$T_reply_code`, `$T_branch_idx`",
     transaction_attribute, nullptr, false, "id_index id_label reply_code branch_index"},
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
