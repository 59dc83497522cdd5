// KSR.corex.
#include "script/ksr/append_branch.hpp"
#include "script/ksr/uri_access.hpp"
#include "transaction/record.hpp"

namespace perdure::script {
namespace {

// "0.5" as thousandths (RFC 3261 25.1 qvalue).
std::optional<std::uint16_t> q_from(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5 || (text.size() > 1 && text[1] != '.')) return std::nullopt;
  unsigned thousandths = text[0] == '1' ? 1000 : 0, unit = 100;
  for (std::size_t i = 2; i < text.size(); ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    thousandths += static_cast<unsigned>(text[i] - '0') * unit;
  }
  if (thousandths > 1000) return std::nullopt;
  return static_cast<std::uint16_t>(thousandths);
}

}  // namespace

int append_branch(Call& call) {
  auto& context = call.context();
  if (context.more_targets.size() + 1 >= transaction::branches_max) return -1;
  proxy::Target target = context.target;
  if (!call.text(0).empty()) {
    if (!sip::Uri::parse(call.text(0))) return call.fail("\"" + std::string(call.text(0)) + "\" is no URI");
    target.uri = call.text(0);
    target.destination_uri.clear();  // it was chosen for the other URI
  } else {
    target.uri = request_uri(call);  // the script goes on to change $ru, which is the main branch
  }
  if (call.has(1)) {
    const auto q = q_from(call.text(1));
    if (!q) return call.fail("\"" + std::string(call.text(1)) + "\" is no q-value, 0 to 1 with at most three digits");
    target.q = *q;
  }
  context.more_targets.push_back(std::move(target));
  return 1;
}

namespace {

int has_ruri_user(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  return uri && !uri->user.empty() ? 1 : -1;
}

// 64 further flags of the transaction, kept as one AVP that no script names by chance.
constexpr std::string_view flags_avp = "_xflags";
constexpr std::int64_t extra_flags = 64;

std::uint64_t extra_flags_of(Call& call) {
  const Value* value = call.run.variables().avp(flags_avp, 0);
  return value ? static_cast<std::uint64_t>(value->number) : 0;
}

int change_extra_flag(Call& call, bool set) {
  const std::int64_t number = call.number(0);
  if (number < 0 || number >= extra_flags) return -1;
  const std::uint64_t bit = std::uint64_t{1} << number, before = extra_flags_of(call), after = set ? before | bit : before & ~bit;
  if (before == after) return 1;
  auto& variables = call.run.variables();
  variables.remove_avps(flags_avp);
  call.run.changed();
  return variables.push_avp(flags_avp, Value::of(static_cast<std::int64_t>(after))) ? 1 : -1;
}

int has_extra_flag(Call& call) {
  const std::int64_t number = call.number(0);
  return number >= 0 && number < extra_flags && (extra_flags_of(call) >> number & 1) ? 1 : -1;
}

const Function table[] = {
    {"corex", "setxflag", "int number", Returns::Integer, routes::any, "Sets one of 64 further flags of the transaction, 0 to 63.", "",
     [](Call& call) { return change_extra_flag(call, true); }},
    {"corex", "resetxflag", "int number", Returns::Integer, routes::any, "Takes it back.", "",
     [](Call& call) { return change_extra_flag(call, false); }},
    {"corex", "isxflagset", "int number", Returns::Integer, routes::any, "The flag is set.", "", has_extra_flag},
    {"corex", "append_branch", "", Returns::Integer, routes::relaying,
     "Adds a branch with the Request-URI, destination URI and branch flags as they are now. -1: there are 16 already.", "", append_branch},
    {"corex", "append_branch_uri", "string uri", Returns::Integer, routes::relaying, "Adds a branch to that URI.",
     "An empty URI means the Request-URI.", append_branch},
    {"corex", "append_branch_uri_q", "string uri, string q", Returns::Integer, routes::relaying,
     "Adds a branch to that URI with a q-value: branches of a lower one are tried when those before have failed.",
     "Serial forking needs no t_load_contacts and t_next_contacts: t_relay does it by q. The Request-URI itself has the q-value 1.",
     append_branch},
    {"corex", "set_send_socket", "string socket", Returns::Integer, routes::with_request,
     "The request leaves from that socket of ours, `tcp:192.0.2.1:5060`, if its next hop is of that transport and address family.",
     "A socket that there is not is a script error. It holds for the branches added afterwards.",
     [](Call& call) {
       if (!call.context().set_send_socket(call.text(0))) return call.fail("\"" + std::string(call.text(0)) + "\" is no socket of ours");
       return 1;
     }},
    {"corex", "has_ruri_user", "", Returns::Integer, routes::any, "The Request-URI has a user.", "", has_ruri_user},
    {"corex", "has_user_agent", "", Returns::Integer, routes::any, "There is a User-Agent header that is not empty.", "",
     [](Call& call) {
       const auto* field = call.message().find(sip::HeaderName::UserAgent);
       return field && !call.message().value(*field).empty() ? 1 : -1;
     }},
};

}  // namespace

std::span<const Function> corex_functions() {
  return table;
}

}  // namespace perdure::script
