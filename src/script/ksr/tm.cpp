// KSR.tm and KSR.tmx: transactions.
#include <algorithm>

#include "proxy/work.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

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
  switch (call.vm.regexes().match(call.text(0), std::to_string(status))) {
    case RegexCache::Match::Yes:
      return 1;
    case RegexCache::Match::No:
      return -1;
    case RegexCache::Match::BadPattern:
      break;
  }
  return call.fail("\"" + std::string(call.text(0)) + "\" is no regular expression");
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
constexpr Routes responses = routes::on_reply | routes::failure | routes::reply;

const Function table[] = {
    {"tm", "t_relay", "", integer, routes::answering,
     "Forwards the request to its target set with a transaction. A CANCEL goes to the branches of its INVITE, an ACK goes without a "
     "transaction. Below 0 a request has been answered with the error already.",
     "The error reply is sent at once, so sl_reply_error after it does nothing.", relay},
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
    {"tm", "t_on_branch", "string name", integer, routes::answering, "Arms the function that is called for each branch before it is sent.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.branch); }},
    {"tm", "t_on_failure", "string name", integer, routes::answering,
     "Arms the function that is called when all branches have failed. It is armed for one failure.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.failure); }},
    {"tm", "t_on_reply", "string name", integer, routes::answering, "Arms the function that is called for each reply of a branch.",
     "A name without a function is a script error.", [](Call& call) { return arm(call, call.context().armed.reply); }},
    {"tm", "t_is_set", "string what", integer, routes::answering | routes::branch,
     "`branch_route`, `failure_route` or `onreply_route` is armed.", "",
     [](Call& call) { return truth(call.context().is_set(call.text(0))); }},
    {"tm", "t_is_canceled", "", integer, routes::answering | responses, "The transaction has been cancelled from upstream.", "",
     [](Call& call) { return truth(call.context().is_canceled()); }},
    {"tm", "t_check_status", "string expression", integer, routes::any,
     "The status code of the reply, in a failure route of the one that won, matches a regular expression.",
     "A bad expression is a script error.", check_status},
    {"tm", "t_branch_timeout", "", integer, routes::failure, "The response that won is a timeout of ours.", "",
     [](Call& call) { return truth(call.context().timed_out); }},
    {"tm", "t_branch_replied", "", integer, routes::failure, "The branch that won has got a reply.", "",
     [](Call& call) { return truth(call.context().branch_replied); }},
    {"tm", "t_any_timeout", "", integer, responses, "A branch has timed out.", "",
     [](Call& call) { return any_branch(call, [](const auto& branch) { return branch.timed_out != 0; }); }},
    {"tm", "t_any_replied", "", integer, responses, "A branch has got a reply.", "",
     [](Call& call) { return any_branch(call, [](const auto& branch) { return branch.status != 0 && !branch.timed_out; }); }},
};

template <proxy::RouteKind... kinds>
int is_kind(Call& call) {
  return truth(((call.run.kind == kinds) || ...));
}

const Function more_table[] = {
    {"tmx", "t_precheck_trans", "", integer, routes::request, "The request is being worked on by another process: always -1.",
     "A call belongs to one worker, and retransmissions are absorbed before the script runs.", [](Call&) { return -1; }},
    {"tmx", "t_is_request_route", "", integer, routes::any, "This is the request route.", "", is_kind<proxy::RouteKind::Request>},
    {"tmx", "t_is_reply_route", "", integer, routes::any, "This is a reply route.", "",
     is_kind<proxy::RouteKind::Reply, proxy::RouteKind::OnReply>},
    {"tmx", "t_is_failure_route", "", integer, routes::any, "This is a failure route.", "", is_kind<proxy::RouteKind::Failure>},
    {"tmx", "t_is_branch_route", "", integer, routes::any, "This is a branch route.", "", is_kind<proxy::RouteKind::Branch>},
    {"tmx", "t_relay_cancel", "", integer, routes::request, "The same as tm.t_relay_cancel.", "",
     [](Call& call) { return call.message().method() == sip::Method::Cancel ? call.context().relay_cancel() : 1; }},
};

}  // namespace

std::span<const Function> tm_functions() {
  return table;
}
std::span<const Function> tmx_functions() {
  return more_table;
}

}  // namespace perdure::script
