// KSR.tm: transactions.
#include <algorithm>

#include "proxy/work.hpp"
#include "script/ksr/expressions.hpp"
#include "script/ksr/tm_contacts.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/name_addr.hpp"

namespace perdure::script {
namespace {

int truth(bool value) {
  return value ? 1 : -1;
}

// What the branch route of a new branch reads are the variables as they are now.
int relay(Call& call) {
  call.run.save();
  return call.context().relay();
}

int reply(Call& call) {
  if (!is_one_line(call.text(1))) return call.fail("a line break cannot stand there");
  call.run.save();
  return call.context().reply(static_cast<std::uint16_t>(std::clamp<std::int64_t>(call.number(0), 0, 999)), call.text(1));
}

int new_transaction(Call& call) {
  call.run.save();
  return call.context().new_transaction();
}

// "" and "0" disarm, as in Kamailio. A name without a function would fail later, in the middle of a call: better now.
int arm(Call& call, std::string& name) {
  const auto text = call.text(0);
  if (text.empty() || text == "0") {
    name.clear();
    return 1;
  }
  if (!call.vm.has_function(text)) return call.fail("there is no function " + std::string(text));
  name.assign(text);
  return 1;
}

int check_status(Call& call) {
  const auto& context = call.context();
  const std::uint16_t status = context.status ? context.status : context.work ? context.work->header.status : std::uint16_t{0};
  if (status == 0) return -1;
  return matches(call, std::to_string(status));
}

template <class Test>
int any_branch(const Call& call, Test test) {
  const auto* work = call.context().work;
  if (!work) return -1;
  for (std::size_t i = 0; i < work->header.branch_count; ++i)
    if (test(work->branches[i])) return 1;
  return -1;
}

constexpr auto integer = Returns::Integer;
constexpr Routes responses = routes::on_reply | routes::failure | routes::branch_failure | routes::reply;
constexpr Routes relaying = routes::relaying;
constexpr Routes arming = relaying | routes::on_reply;
constexpr Routes settings = arming | routes::branch;

std::uint32_t milliseconds(Call& call, std::size_t index) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(call.number(index), 0, 24LL * 3600 * 1000));
}

template <std::uint16_t bit, bool inverted = false>
int set_switch(Call& call) {
  return call.context().set_switch(bit, (call.number(0) != 0) != inverted);
}

// ---- t_relay to somewhere else ----

// Once: what the script has set stands again afterwards.
int relay_to(Call& call, std::string destination) {
  auto& target = call.context().target;
  if (!sip::Uri::parse(destination)) return call.fail("\"" + destination + "\" is no destination");
  std::swap(target.destination_uri, destination);
  const int result = relay(call);
  target.destination_uri = std::move(destination);
  return result;
}

// The URI that leads to the next hop: destination, top Route, Request-URI.
std::string_view next_hop_uri(Call& call) {
  const auto& context = call.context();
  if (!context.target.destination_uri.empty()) return context.target.destination_uri;
  std::size_t index = 0;
  for (const auto& value : call.message().values(sip::HeaderName::Route)) {
    if (index++ != context.routes_removed) continue;
    const auto address = sip::NameAddr::parse(value.text);
    if (address) return address->uri;
  }
  return request_uri(call);
}

bool is_transport(std::string_view name) {
  return name == "udp" || name == "tcp" || name == "tls" || name == "sctp" || name == "ws" || name == "wss";
}

int relay_to_proto(Call& call) {
  if (!is_transport(call.text(0))) return call.fail("\"" + std::string(call.text(0)) + "\" is no transport");
  const auto uri = sip::Uri::parse(next_hop_uri(call));
  if (!uri) return -1;
  std::string destination = "sip:" + std::string(uri->host);
  if (uri->port) destination += ":" + std::to_string(uri->port);
  return relay_to(call, destination + ";transport=" + std::string(call.text(0)));
}

int relay_to_proto_addr(Call& call) {
  if (!is_transport(call.text(0))) return call.fail("\"" + std::string(call.text(0)) + "\" is no transport");
  std::string destination = "sip:" + std::string(call.text(1));
  if (call.number(2) > 0) destination += ":" + std::to_string(call.number(2));
  return relay_to(call, destination + ";transport=" + std::string(call.text(0)));
}

// "host", "host:port", "tcp:host:port"
int relay_to_proxy(Call& call) {
  std::string_view proxy = call.text(0);
  const auto colon = proxy.find(':');
  const auto transport = colon == std::string_view::npos ? std::string_view{} : proxy.substr(0, colon);
  std::string parameter;
  if (is_transport(transport)) {
    proxy.remove_prefix(colon + 1);
    parameter = ";transport=" + std::string(transport);
  }
  return relay_to(call, "sip:" + std::string(proxy) + parameter);
}

void take_flags(Call& call, std::int64_t flags) {
  if (flags & 1) (void)call.context().set_switch(transaction::no_trying, true);
  if (flags & 2) (void)call.context().set_switch(transaction::no_internal_reply, true);
}

int relay_to_flags(Call& call) {
  take_flags(call, call.number(0));
  return relay(call);
}

int relay_to_proxy_flags(Call& call) {
  take_flags(call, call.number(1));
  return relay_to_proxy(call);
}

int uac_send(Call& call) {
  for (const std::size_t one_line : {0U, 1U, 2U, 3U})
    if (!is_one_line(call.text(one_line))) return call.fail("a line break cannot stand there");
  return call.context().send_request({call.text(0), call.text(1), call.text(2), call.text(3), call.text(4), call.text(5)});
}

// ---- queries ----

int status_code(Call& call) {
  const auto& context = call.context();
  switch (context.kind) {
    case proxy::RouteKind::Request:
      return context.work ? context.work->header.status : -1;
    case proxy::RouteKind::Reply:
    case proxy::RouteKind::OnReply:
      return context.work ? call.message().status() : -1;
    case proxy::RouteKind::Failure:
    case proxy::RouteKind::BranchFailure:
      return context.status;
    case proxy::RouteKind::Branch:
    case proxy::RouteKind::Local:
    case proxy::RouteKind::Event:
      break;
  }
  return -1;
}

int lookup_request(Call& call) {
  if (call.context().work) return 1;
  return call.message().method() == sip::Method::Cancel ? -1 : call.context().check_transaction();
}

int drop_replies(Call& call) {
  using Drop = proxy::RoutingContext::Drop;
  const auto mode = call.text(0);
  call.context().drop_replies = mode.starts_with('n') ? Drop::None : mode.starts_with('l') ? Drop::Last : Drop::All;
  return 1;
}

int save_lumps(Call& call) {
  if (call.run.kind != proxy::RouteKind::Request) return 1;  // they are saved
  if (!call.context().work) return -1;
  call.run.save();
  return call.context().save();
}

const Function table[] = {
    {"tm", "t_relay", "", integer, relaying,
     "Forwards the request to its target set with a transaction. A CANCEL goes to the branches of its INVITE, an ACK goes without a "
     "transaction. Below 0 a request has been answered with the error already.",
     "The error reply is sent at once, so sl_reply_error after it does nothing. A host name that name servers must be asked about is no "
     "error yet: if it leads nowhere, the branch fails with 478, which failure routes see.",
     relay},
    {"tm", "t_relay_cancel", "", integer, routes::request,
     "A CANCEL whose INVITE is known is done with: 0. Otherwise 1, and the script goes on.", "",
     [](Call& call) { return call.message().method() == sip::Method::Cancel ? call.context().relay_cancel() : 1; }},
    {"tm", "t_check_trans", "", integer, routes::request, "1: a CANCEL or ACK whose INVITE transaction is known; else -1.",
     "Retransmissions are absorbed before the script runs, so 0 does not occur.",
     [](Call& call) { return call.context().check_transaction(); }},
    {"tm", "t_newtran", "", integer, routes::request,
     "Makes the transaction: an INVITE gets its 100, retransmissions are absorbed. Below 0: there is no room, 503 has been sent.", "",
     new_transaction},
    {"tm", "t_reply", "int code, string reason", integer, routes::answering,
     "Answers with the transaction, which is made if there is none yet.", "", reply},
    {"tm", "t_send_reply", "int code, string reason", integer, routes::answering, "The same as t_reply.", "", reply},
    {"tm", "t_on_branch", "string name", integer, arming, "Arms the function that is called for each branch before it is sent.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.branch); }},
    {"tm", "t_on_failure", "string name", integer, arming,
     "Arms the function that is called when all branches have failed. It is armed for one failure.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.failure); }},
    {"tm", "t_on_branch_failure", "string name", integer, arming,
     "Arms the function that is called when a branch has failed, whatever the others do; it may relay to another target in its place. "
     "Branches that are sent while it is armed have it, and each calls it once. Inside it has to be armed again for what is relayed there.",
     "The name is that of the function, without `tm:branch-failure:`, and one for all branches: arming another one changes it for those "
     "that are there, too.",
     [](Call& call) {
       const int armed = arm(call, call.context().armed.branch_failure);
       if (armed > 0) call.context().branch_failure_spent = false;
       return armed;
     }},
    {"tm", "t_on_reply", "string name", integer, arming, "Arms the function that is called for each reply of a branch.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.reply); }},
    {"tm", "t_is_set", "string what", integer, relaying | routes::branch,
     "`branch_route`, `failure_route`, `branch_failure_route` or `onreply_route` is armed.", "",
     [](Call& call) { return truth(call.context().is_set(call.text(0))); }},
    {"tm", "t_is_canceled", "", integer, routes::answering | responses, "The transaction has been cancelled from upstream.", "",
     [](Call& call) { return truth(call.context().is_canceled()); }},
    {"tm", "t_check_status", "string expression", integer, routes::any,
     "The status code of the reply, in a failure route of the one that won, matches a regular expression.",
     "A bad expression is a script error.", check_status},
    {"tm", "t_branch_timeout", "", integer, routes::failure | routes::branch_failure,
     "The branch that won, or in a branch failure route has failed, had no response in time.", "",
     [](Call& call) { return truth(call.context().timed_out); }},
    {"tm", "t_branch_replied", "", integer, routes::failure | routes::branch_failure, "The same branch has got a reply.", "",
     [](Call& call) { return truth(call.context().branch_replied); }},
    {"tm", "t_any_timeout", "", integer, responses, "A branch has timed out.", "",
     [](Call& call) { return any_branch(call, [](const auto& branch) { return branch.timed_out != 0; }); }},
    {"tm", "t_any_replied", "", integer, responses, "A branch has got a reply.", "",
     [](Call& call) { return any_branch(call, [](const auto& branch) { return branch.status != 0 && !branch.timed_out; }); }},
    {"tm", "t_grep_status", "int code", integer, routes::answering | responses, "The last response of a branch has this code.", "",
     [](Call& call) {
       const auto code = call.number(0);
       return any_branch(call, [&](const auto& branch) { return branch.status == code && !branch.timed_out; });
     }},
    {"tm", "t_get_status_code", "", integer, routes::any,
     "The status code: in the request route of the last reply sent, in a reply route of the reply, in a failure route of the one that won. "
     "-1: no transaction.",
     "", status_code},
    {"tm", "t_get_branch_index", "", integer, routes::any, "The index of the branch in branch, reply and failure routes; else -1.", "",
     [](Call& call) { return call.context().branch; }},
    {"tm", "t_is_expired", "", integer, routes::answering | responses, "The lifetime that t_set_max_lifetime gave is over.",
     "Without t_set_max_lifetime a transaction has no lifetime: -1.", [](Call& call) { return truth(call.context().is_expired()); }},
    {"tm", "t_lookup_request", "", integer, routes::request, "The transaction of the request is known.",
     "Retransmissions are absorbed before the script runs.", lookup_request},
    {"tm", "t_lookup_cancel", "", integer, routes::request, "This is a CANCEL, and the transaction of its INVITE is known.", "",
     [](Call& call) { return truth(call.context().has_invite(false)); }},
    {"tm", "t_lookup_cancel_flags", "int flags", integer, routes::request,
     "The same as t_lookup_cancel; with 1 the message flags of the INVITE become those of the CANCEL.", "",
     [](Call& call) { return truth(call.context().has_invite((call.number(0) & 1) != 0)); }},
    {"tm", "t_retransmit_reply", "", integer, routes::request, "Sends the last reply of the transaction again. -1: there is none.", "",
     [](Call& call) { return call.context().retransmit_reply(); }},
    {"tm", "t_release", "", integer, routes::request,
     "Gives up a transaction that has neither branches nor a final reply: nothing is sent.",
     "Otherwise nothing is done: the transaction ends by its timers.", [](Call& call) { return call.context().release(); }},
    {"tm", "t_clean", "", integer, routes::any, "1.", "Transactions whose time is over end by their timers, there is nothing to clean.",
     [](Call&) { return 1; }},
    {"tm", "t_is_retr_async_reply", "", integer, responses, "1: a reply that comes again after it suspended the transaction.",
     "A reply does not suspend: -1.", [](Call&) { return -1; }},
    {"tm", "t_save_lumps", "", integer, routes::answering,
     "After t_newtran: keeps the changes made to the message since with the transaction. -1: there is no transaction.", "", save_lumps},
    {"tm", "t_use_uac_headers", "", integer, routes::any, "CANCEL and ACK have From and To as the request left with them.",
     "They always have.", [](Call&) { return 1; }},
    {"tm", "t_drop_replies", "string mode", integer, routes::failure,
     "Which replies so far cannot be sent to the caller any more after this callback: `l` those of the last t_relay, `n` none, else all. "
     "If then nothing has been relayed, the caller gets 500.",
     "Without it they are dropped if the callback relays, as with Kamailio's parameter failure_reply_mode = 3, which its default "
     "configuration has. A callback is not called again when a reply of an earlier attempt wins.",
     drop_replies},
    {"tm", "t_drop_replies_all", "", integer, routes::failure, "The same as t_drop_replies('a').", "", drop_replies},
    {"tm", "t_load_contacts", "", integer, relaying,
     "Puts the branches of append_branch and the Request-URI, sorted by q, into the XAVP tm_contacts, for t_next_contacts. Without a "
     "branch: "
     "nothing, and 1.",
     "No module parameter is needed. A Request-URI without q has 1.0, not less than all others.", load_contacts},
    {"tm", "t_load_contacts_mode", "int mode", integer, relaying,
     "With 0 as t_load_contacts; with 1 in an order drawn by lot, one at a time, chances as their q.", "", load_contacts_mode},
    {"tm", "ki_t_load_contacts_mode", "int mode", integer, relaying, "The same as t_load_contacts_mode, under the name of Kamailio 5.6.",
     "", load_contacts_mode},
    {"tm", "t_next_contacts", "", integer, relaying, "The contacts of the highest q that are left become the target set. -2: none is left.",
     "Contacts with the same instance are not held back.", next_contacts},
    {"tm", "t_uac_send", "string method, string uri, string next_hop, string socket, string headers, string body", integer, routes::any,
     "Sends a request of our own and repeats it till an answer comes, also over a restart. `headers` are complete lines, with From and To; "
     "Call-ID, CSeq and tags are made if they are missing. Next hop and socket may be empty.",
     "INVITE, ACK and CANCEL are refused: nobody would hold the dialog.", uac_send},
    {"tm", "t_replicate", "string uri", integer, routes::request,
     "Sends a copy of the request there, with a transaction of its own whose replies go nowhere.", "An INVITE is refused.",
     [](Call& call) { return call.context().replicate(call.text(0)); }},
    // ---- t_relay to somewhere else ----
    {"tm", "t_relay_to_proxy", "string proxy", integer, relaying, "t_relay to `host`, `host:port` or `tcp:host:port`.", "", relay_to_proxy},
    {"tm", "t_relay_to_flags", "int flags", integer, relaying,
     "t_relay with 1: no 100 of ours, 2: no reply to errors of relaying, 4: no failover by DNS.",
     "4 does nothing: see t_set_disable_failover.", relay_to_flags},
    {"tm", "t_relay_to_proxy_flags", "string proxy, int flags", integer, relaying, "t_relay_to_proxy with the flags of t_relay_to_flags.",
     "", relay_to_proxy_flags},
    {"tm", "t_relay_to_proto", "string transport", integer, relaying, "t_relay by `udp`, `tcp`, `tls` and so on.", "", relay_to_proto},
    {"tm", "t_relay_to_proto_addr", "string transport, string host, int port", integer, relaying,
     "t_relay to that address by that transport; port 0: the default one.", "", relay_to_proto_addr},
    // ---- timers and switches ----
    {"tm", "t_set_fr", "int invite, int first", integer, settings,
     "Milliseconds that a branch may take: from a provisional to the final reply, and to the first one; 0 leaves a value as it is. "
     "Branches "
     "that run already begin anew.",
     "", [](Call& call) { return call.context().set_final_response_timers(milliseconds(call, 0), milliseconds(call, 1)); }},
    {"tm", "t_set_fr_inv", "int invite", integer, settings, "The same as t_set_fr(invite, 0).", "",
     [](Call& call) { return call.context().set_final_response_timers(milliseconds(call, 0), 0); }},
    {"tm", "t_reset_fr", "", integer, settings, "The times of t_set_fr are as configured again.", "",
     [](Call& call) { return call.context().reset_final_response_timers(); }},
    {"tm", "t_set_max_lifetime", "int invite, int other", integer, settings,
     "Milliseconds from its request to the end of a transaction, INVITE or other: branches that are open then have timed out; 0 leaves a "
     "value as "
     "it is.",
     "There is no lifetime without it; Timer C bounds an INVITE.",
     [](Call& call) { return call.context().set_max_lifetime(milliseconds(call, 0), milliseconds(call, 1)); }},
    {"tm", "t_reset_max_lifetime", "", integer, settings, "No lifetime.", "",
     [](Call& call) { return call.context().reset_max_lifetime(); }},
    {"tm", "t_set_retr", "int t1, int t2", integer, settings,
     "Milliseconds to the first retransmission, and at most between two; 0 leaves a value as it is.", "",
     [](Call& call) { return call.context().set_retransmission_timers(milliseconds(call, 0), milliseconds(call, 1)); }},
    {"tm", "t_reset_retr", "", integer, settings, "The times of t_set_retr are as configured again.", "",
     [](Call& call) { return call.context().reset_retransmission_timers(); }},
    {"tm", "t_set_auto_inv_100", "int on", integer, routes::request, "0: no 100 of ours for this INVITE.", "",
     set_switch<transaction::no_trying, true>},
    {"tm", "t_set_disable_6xx", "int on", integer, arming, "1: a 6xx does not end the other branches.", "",
     set_switch<transaction::no_6xx>},
    {"tm", "t_set_disable_failover", "int on", integer, routes::any, "1: no failover by DNS.",
     "There is none: an address that does not answer is a failed branch.", [](Call&) { return 1; }},
    {"tm", "t_set_no_e2e_cancel_reason", "int on", integer, arming, "1: the Reason of the caller's CANCEL is not passed on.", "",
     set_switch<transaction::no_cancel_reason>},
    {"tm", "t_set_disable_internal_reply", "int on", integer, relaying, "1: t_relay does not answer its errors, the script does.", "",
     set_switch<transaction::no_internal_reply>},
};

}  // namespace

std::span<const Function> tm_functions() {
  return table;
}

}  // namespace perdure::script
