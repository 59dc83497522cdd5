// Variables of the transaction: flags, branch, reply code.
#include <fmt/format.h>

#include <utility>

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

constexpr int all_fields = Vm::uac_request_fields;

// A variable as another message of the transaction has it.
template <proxy::RoutingContext::Other which>
V of_message(Call& call, P variable) {
  V result;
  (void)call.run.variables();  // the run's own, decoded before another context takes its place
  (void)call.context().with_message(which, [&](proxy::RoutingContext& other) {
    auto* const own = std::exchange(call.run.context, &other);
    result = value_of(call, *variable.argument_variable);
    call.run.context = own;
    if (result.kind != V::Kind::Text) return;
    call.vm.other_text.assign(result.text);  // the message is gone with the context
    result.text = call.vm.other_text;
  });
  return result;
}

V uac_request(Call& call, P variable) {
  if (variable.keyword == all_fields) return {};
  const std::string& text = call.vm.uac_request[static_cast<std::size_t>(variable.keyword)];
  return text.empty() ? V{} : V::of(text);
}
bool set_uac_request(Call& call, P variable, const Value* value) {
  if (variable.keyword == all_fields) {
    for (auto& field : call.vm.uac_request) field.clear();
    return true;
  }
  auto& field = call.vm.uac_request[static_cast<std::size_t>(variable.keyword)];
  field.clear();
  if (value && value->is_number)
    field = std::to_string(value->number);
  else if (value)
    field = value->text;
  return true;
}

const VariableClass table[] = {
    {"uac_req", VariableArgument::Keyword,
     "a field of the request that uac.uac_req_send sends; `$uac_req(all)` set to anything empties all. Of the worker, kept from callback "
     "to "
     "callback",
     uac_request, set_uac_request, false, "method ruri furi turi hdrs body ouri sock callid all"},
    {"T_req", VariableArgument::Variable,
     "`$T_req($var)`: the variable as it is in the transaction's request, as that was received; null if there is no transaction",
     of_message<proxy::RoutingContext::Other::Request>},
    {"T_rpl", VariableArgument::Variable,
     "`$T_rpl($var)`: as it is in the reply that won, in a branch failure callback in that of the branch; null if the branch timed out",
     of_message<proxy::RoutingContext::Other::Reply>},
    {"T_inv", VariableArgument::Variable, "`$T_inv($var)`: of a CANCEL, as it is in its INVITE; null if that is not known",
     of_message<proxy::RoutingContext::Other::Invite>},
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
