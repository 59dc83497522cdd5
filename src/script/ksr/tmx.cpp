// KSR.tmx: more about transactions.
#include "proxy/work.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

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
    {"tmx", "t_relay_cancel", "", integer, routes::request, "The same as tm.t_relay_cancel.", "",
     [](Call& call) { return call.message().method() == sip::Method::Cancel ? call.context().relay_cancel() : 1; }},
};

}  // namespace

std::span<const Function> tmx_functions() {
  return more_table;
}

}  // namespace perdure::script
