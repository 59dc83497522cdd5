// KSR.tmx: more about transactions.
#include "proxy/work.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int cancel_branches(Call& call) {
  using Which = proxy::RoutingContext::CancelWhich;
  if (call.text(0) == "all") return call.context().cancel_branches(Which::All);
  if (call.text(0) == "others") return call.context().cancel_branches(Which::Others);
  if (call.text(0) == "this") return call.context().cancel_branches(Which::This);
  return call.fail("\"" + std::string(call.text(0)) + "\" is none of all, others, this");
}

int cancel_callid(Call& call) {
  const auto flag = call.number(2), reason = call.number(3);
  const std::uint32_t flags = flag > 0 && flag < 32 ? 1U << flag : 0;
  return call.context().cancel_call(call.text(0), call.text(1), flags,
                                    reason >= 100 && reason <= 699 ? static_cast<std::uint16_t>(reason) : std::uint16_t{0});
}

int reply_callid(Call& call) {
  if (!is_one_line(call.text(3))) return call.fail("a line break cannot stand there");
  call.run.save();
  const auto code = call.number(2);
  if (code < 100 || code > 699) return -1;
  return call.context().reply_call(call.text(0), call.text(1), static_cast<std::uint16_t>(code), call.text(3));
}

int suspend(Call& call) {
  call.run.save();
  return call.context().suspend();
}

int continue_transaction(Call& call) {
  constexpr std::int64_t most = UINT32_MAX;
  if (call.number(0) < 0 || call.number(0) > most || call.number(1) < 0 || call.number(1) > most) return -1;
  if (!call.vm.has_function(call.text(2))) return call.fail("there is no function " + std::string(call.text(2)));
  return call.context().continue_transaction(static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint32_t>(call.number(1)),
                                             call.text(2));
}

int drop(Call& call) {
  if (!call.context().work) return -1;
  (void)call.context().release();
  return call.leave(Leave::Exit);
}

int truth(bool value) {
  return value ? 1 : -1;
}
constexpr auto integer = Returns::Integer;

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
    {"tmx", "t_reuse_branch", "", integer, routes::branch_failure,
     "The Request-URI and the branch flags are those of the branch that has failed, as they were when the callback began: t_relay tries it "
     "again.",
     "", [](Call& call) { return call.context().reuse_branch(); }},
    {"tmx", "t_flush_flags", "", integer, routes::answering, "The message flags of now become those of the transaction. -1: there is none.",
     "", [](Call& call) { return call.context().flush_flags(); }},
    {"tmx", "t_cancel_branches", "string which", integer, routes::on_reply,
     "Cancels `all` branches of the INVITE, the `others`, or `this` one, whose reply it is. After a final reply `all` means the others. "
     "-1: there "
     "is nothing to cancel.",
     "", cancel_branches},
    {"tmx", "t_cancel_callid", "string call_id, string cseq, int flag", integer, routes::any,
     "Cancels all branches of the INVITE with that Call-ID and CSeq number and sets the message flag, if it is 1 to 31, in it. -1: there "
     "is no "
     "such transaction.",
     "Looks at all transactions of the Call-ID's partition. One of another worker is cancelled a moment later; then the result is 1 in any "
     "case.",
     cancel_callid},
    {"tmx", "t_cancel_callid_reason", "string call_id, string cseq, int flag, int reason", integer, routes::any,
     "The same, with a Reason header of that status code.", "As t_cancel_callid.", cancel_callid},
    {"tmx", "t_reply_callid", "string call_id, string cseq, int code, string reason", integer, routes::any,
     "Answers the request with that Call-ID and CSeq number. -1: it is not open.", "As t_cancel_callid.", reply_callid},
    {"tmx", "t_suspend", "", integer, routes::request,
     "Ends the work on the request until t_continue, which needs `$T(id_index)` and `$T(id_label)`. Makes the transaction if there is "
     "none. It is "
     "kept over a restart. After the time of t_set_fr for the first reply the failure route is called with 408, or 408 is sent.",
     "Not in a failure or reply route.", suspend},
    {"tmx", "t_continue", "int index, int label, string route", integer, routes::any,
     "Calls that function as request route of the suspended transaction. -1: there is no such transaction.",
     "A transaction of another worker goes on a moment later; then the result is 1 in any case.", continue_transaction},
    {"tmx", "t_drop", "", integer, routes::request, "Ends the callback and forgets the transaction without an answer. -1: there is none.",
     "A retransmission of the request is a new request.", drop},
    {"tmx", "t_drop_rcode", "int code", integer, routes::request, "The same as t_drop.", "The code is not looked at.", drop},
    {"tmx", "t_relay_cancel", "", integer, routes::request, "The same as tm.t_relay_cancel.", "",
     [](Call& call) { return call.message().method() == sip::Method::Cancel ? call.context().relay_cancel() : 1; }},
};

}  // namespace

std::span<const Function> tmx_functions() {
  return more_table;
}

}  // namespace perdure::script
