// KSR.dispatcher: destinations and their failover. The candidates stay in the transaction's XAVP _dsdst_ (uri, grp, attrs; the one in use
// in front), so a failure route goes on where the call stands, also after a restart.
#include <algorithm>
#include <charconv>

#include "base/logging.hpp"
#include "dispatch/dispatcher.hpp"
#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

constexpr std::string_view candidates = "_dsdst_", uri_field = "uri", set_field = "grp", attrs_field = "attrs";

// Where the destination goes: $du, or host and port of $ru.
enum class Into { Destination, Domain };

// `socket` of its attributes: where it is sent from; Kamailio takes the last one, too.
bool apply(Call& call, std::string_view uri_text, std::string_view socket, Into into) {
  if (!socket.empty() && !call.context().set_send_socket(socket))
    log::warning("dispatcher: {} is no socket of ours, so {} is sent to from another", socket, uri_text);
  if (into == Into::Destination) return set_destination_uri(call, uri_text);
  const auto uri = sip::Uri::parse(uri_text);
  if (!uri) return false;
  std::string port = uri->port ? std::to_string(uri->port) : std::string();
  return set_request_uri_part(call, UriPart::Host, uri->host) && set_request_uri_part(call, UriPart::Port, port);
}

// The user name of the credentials that the request carries (algorithm 5).
std::string_view credentials_user(const sip::Message& message) {
  for (const auto name : {sip::HeaderName::ProxyAuthorization, sip::HeaderName::Authorization}) {
    const auto* field = message.find(name);
    if (!field) continue;
    const std::string_view value = message.value(*field);
    const std::size_t at = value.find("username=\"");
    if (at == std::string_view::npos) continue;
    const std::size_t begin = at + 10, end = value.find('"', begin);
    if (end != std::string_view::npos) return value.substr(begin, end - begin);
  }
  return {};
}

int select(Call& call, Into into, bool apply_first, std::size_t limit) {
  const auto algorithm = dispatch::algorithm_from(call.number(1));
  if (!algorithm || *algorithm == dispatch::Algorithm::Text) return call.fail("there is no algorithm " + std::to_string(call.number(1)));
  const auto set = call.number(0);
  if (set < INT32_MIN || set > INT32_MAX) return -1;
  const auto& message = call.message();
  dispatch::SelectKeys keys;
  keys.call_id = message.call_id();
  if (message.from()) keys.from_uri = message.from()->uri;
  if (message.to()) keys.to_uri = message.to()->uri;
  keys.request_uri = request_uri(call);
  keys.auth_user = credentials_user(message);
  const auto selection =
      call.vm.dispatcher()->select(static_cast<std::int32_t>(set), *algorithm, keys, call.vm.random(), call.context().now, limit);
  auto& variables = call.run.variables();
  variables.remove_xavps(Tree::Xavp, candidates);
  call.run.changed();
  if (!selection) return -1;
  // The last one first: the newest XAVP has index 0.
  for (std::size_t i = selection.count; i-- > 0;) {
    const auto& one = *selection.destinations[i];
    std::vector<std::pair<std::string, Value>> fields;
    fields.emplace_back(uri_field, Value::of(std::string_view(one.uri)));
    fields.emplace_back(set_field, Value::of(std::int64_t{one.set}));
    if (!one.attrs.empty()) fields.emplace_back(attrs_field, Value::of(std::string_view(one.attrs)));
    if (!variables.push_xavp({Tree::Xavp, std::string(candidates), std::nullopt, std::move(fields)}))
      log::warning("script: no room for {} further destinations of set {}", i + 1, one.set);
  }
  return !apply_first || apply(call, selection.first().uri, selection.first().socket, into) ? 1 : -1;
}

struct Current {
  std::int32_t set = 0;
  std::string uri;
};
std::optional<Current> current(Call& call) {
  const auto& variables = call.run.variables();
  const auto* candidate = variables.xavp(Tree::Xavp, candidates, 0);
  const auto* uri = candidate ? candidate->field(uri_field) : nullptr;
  const auto* set = candidate ? candidate->field(set_field) : nullptr;
  if (!uri || !set) return std::nullopt;
  return Current{static_cast<std::int32_t>(set->number), uri->text};
}

int apply_listed(Call& call, const Current& one, Into into) {
  const auto listed = call.vm.dispatcher()->find(one.set, one.uri);
  return apply(call, one.uri, listed ? std::string_view(listed.first().socket) : std::string_view{}, into) ? 1 : -1;
}

// The next candidate that is still in the list and not out of service.
int next(Call& call, Into into) {
  auto& dispatcher = *call.vm.dispatcher();
  for (;;) {
    if (!current(call)) return -1;
    call.run.variables().remove_xavp(Tree::Xavp, candidates, 0);
    call.run.changed();
    const auto one = current(call);
    if (!one) return -1;
    if (!dispatcher.is_usable(one->set, one->uri)) continue;
    (void)dispatcher.load_replace(call.message().call_id(), one->set, one->uri, call.context().now);
    return apply_listed(call, *one, into);
  }
}

int apply_current(Call& call, Into into) {
  const auto one = current(call);
  return one ? apply_listed(call, *one, into) : -1;
}

int mark(Call& call) {
  if (dispatch::state_from_letters(call.text(0)) < 0 && !call.text(0).empty())
    return call.fail("\"" + std::string(call.text(0)) + "\" is no state: a, i, t or d, with p for probing");
  const auto one = current(call);
  return one && call.vm.dispatcher()->mark(one->set, one->uri, call.text(0)) ? 1 : -1;
}

int is_from_list(Call& call, std::optional<std::int64_t> set, unsigned mode) {
  const auto& received = *call.context().received;
  std::optional<std::int32_t> number;
  if (set && *set >= 0) number = static_cast<std::int32_t>(std::min<std::int64_t>(*set, INT32_MAX));
  const auto transport = call.context().proxy.options().sockets[received.socket].transport;
  return call.vm.dispatcher()->is_from_list(received.source, transport, number, mode) ? 1 : -1;
}

int list_exists(Call& call) {
  if (call.number(0) < INT32_MIN || call.number(0) > INT32_MAX) return -1;
  return call.vm.dispatcher()->list()->find(static_cast<std::int32_t>(call.number(0))) ? 1 : -1;
}

// As Kamailio: BYE and CANCEL end the call's load, a 2xx to INVITE confirms it.
int load_update(Call& call) {
  auto& dispatcher = *call.vm.dispatcher();
  const auto& message = call.message();
  if (message.is_request()) {
    if (message.method() != sip::Method::Bye && message.method() != sip::Method::Cancel) return 1;
    return dispatcher.load_unset(message.call_id()) ? 1 : -1;
  }
  if (!message.cseq() || message.cseq()->method != sip::Method::Invite || message.status() / 100 != 2) return 1;
  return dispatcher.load_confirm(message.call_id(), call.context().now) ? 1 : -1;
}

template <Into into>
int select_and_apply(Call& call) {
  return select(call, into, true, call.has(2) ? static_cast<std::size_t>(std::clamp<std::int64_t>(call.number(2), 0, 255)) : 0);
}
int select_only(Call& call) {
  return select(call, Into::Destination, false,
                call.has(2) ? static_cast<std::size_t>(std::clamp<std::int64_t>(call.number(2), 0, 255)) : 0);
}

constexpr auto integer = Returns::Integer;
constexpr Routes answering = routes::relaying;
constexpr unsigned default_mode = dispatch::Dispatcher::match_no_transport;

constexpr std::string_view algorithms =
    "Chooses a destination of the set, puts it into the destination URI and keeps the others for ds_next_dst; -1: none is usable. "
    "Algorithms: 0 hash of Call-ID, 1 of From URI, 2 of To URI, 3 of Request-URI, 4 round robin, 5 hash of the user of the credentials, "
    "6 random, 8 first by priority, 9 weight, 10 least calls, 11 relative weight.";
constexpr std::string_view algorithms_missing = "Algorithms 7, 12 and 13 are a script error. At most 16 destinations are kept.";

const Function table[] = {
    {"dispatcher", "ds_select_dst", "int set, int algorithm", integer, answering, algorithms, algorithms_missing,
     select_and_apply<Into::Destination>},
    {"dispatcher", "ds_select_dst_limit", "int set, int algorithm, int limit", integer, answering,
     "ds_select_dst that keeps at most that many destinations, 0: no limit.", algorithms_missing, select_and_apply<Into::Destination>},
    {"dispatcher", "ds_select_domain", "int set, int algorithm", integer, answering,
     "ds_select_dst that puts host and port of the destination into the Request-URI.", algorithms_missing, select_and_apply<Into::Domain>},
    {"dispatcher", "ds_select_domain_limit", "int set, int algorithm, int limit", integer, answering,
     "ds_select_domain that keeps at most that many destinations, 0: no limit.", algorithms_missing, select_and_apply<Into::Domain>},
    {"dispatcher", "ds_select", "int set, int algorithm", integer, answering,
     "ds_select_dst that only keeps the destinations, for ds_set_dst or ds_set_domain.", algorithms_missing, select_only},
    {"dispatcher", "ds_select_limit", "int set, int algorithm, int limit", integer, answering,
     "ds_select that keeps at most that many destinations, 0: no limit.", algorithms_missing, select_only},
    {"dispatcher", "ds_next_dst", "", integer, answering, "Puts the next destination into the destination URI; -1: there is none left.",
     "Destinations that have gone out of service meanwhile are skipped.", [](Call& call) { return next(call, Into::Destination); }},
    {"dispatcher", "ds_next_domain", "", integer, answering,
     "Puts host and port of the next destination into the Request-URI; -1: there is none left.",
     "Destinations that have gone out of service meanwhile are skipped.", [](Call& call) { return next(call, Into::Domain); }},
    {"dispatcher", "ds_set_dst", "", integer, answering, "Puts the destination in use into the destination URI.", "",
     [](Call& call) { return apply_current(call, Into::Destination); }},
    {"dispatcher", "ds_set_domain", "", integer, answering, "Puts host and port of the destination in use into the Request-URI.", "",
     [](Call& call) { return apply_current(call, Into::Domain); }},
    {"dispatcher", "ds_mark_dst", "[string state]", integer, routes::relaying | routes::on_reply,
     "Marks the destination in use: a active, i inactive, t trying (inactive after probing_threshold of them), d disabled, each with p to "
     "have it probed. Without a state: inactive.",
     "The optional argument is that of ds_mark_dst_state.", mark},
    {"dispatcher", "ds_mark_dst_state", "string state", integer, routes::relaying | routes::on_reply, "The same as ds_mark_dst.", "", mark},
    {"dispatcher", "ds_is_from_list", "[int set]", integer, routes::any,
     "Address and port of the source are those of a destination of the set, of any for -1 or without an argument.", "",
     [](Call& call) { return is_from_list(call, call.has(0) ? std::optional(call.number(0)) : std::nullopt, default_mode); }},
    {"dispatcher", "ds_is_from_lists", "", integer, routes::any, "Address and port of the source are those of a destination of any set.",
     "", [](Call& call) { return is_from_list(call, std::nullopt, default_mode); }},
    {"dispatcher", "ds_is_from_list_mode", "int set, int mode", integer, routes::any,
     "ds_is_from_list by bits of mode: 1 any port, 2 any transport, 4 only destinations in service.", "",
     [](Call& call) { return is_from_list(call, call.number(0), static_cast<unsigned>(call.number(1) & 7)); }},
    {"dispatcher", "ds_list_exists", "int set", integer, routes::any, "There is such a set.", "", list_exists},
    {"dispatcher", "ds_load_update", "", integer, routes::any,
     "For algorithm 10: a BYE or CANCEL ends the call, a 2xx to INVITE confirms it. -1: the call is not counted.", "", load_update},
    {"dispatcher", "ds_load_unset", "", integer, routes::any, "For algorithm 10: the call has ended. -1: it is not counted.", "",
     [](Call& call) { return call.vm.dispatcher()->load_unset(call.message().call_id()) ? 1 : -1; }},
};

}  // namespace

std::span<const Function> dispatcher_functions() {
  return table;
}

}  // namespace perdure::script
