// What is held against a call when everything is over.
#include "world.hpp"

namespace load {
namespace {

// The kinds allow one leg, with failover a second one at another gateway.
bool forwarded_twice(const Call& call) {
  std::set<std::size_t> gateways;
  for (const auto& leg : call.legs)
    if (!gateways.insert(leg.gateway).second) return true;
  return gateways.size() > (call.kind == Kind::Failover ? 2U : 1U);
}

int expected_status(Kind kind) {
  switch (kind) {
    case Kind::Answered:
    case Kind::Failover:
      return 200;
    case Kind::Busy:
      return 486;
    case Kind::Cancelled:
      return 487;
  }
  return 0;
}

// persist = "routes" keeps where each INVITE branch went. A restart forgets the rest, so a gateway that fails afterwards is not followed by
// another, and what the caller gets then is not judged; but each CANCEL and each ACK has to be right, and a cancelled call has to end.
bool promised_by_routes(const Call& call, const std::string& failure) {
  if (failure == "no final response" || failure == "wrong final response") return call.cancel_sent;
  return failure.starts_with("CANCEL") || failure == "rings on" || failure == "missing ACK" || failure == "ACK astray" ||
         failure == "INVITE forwarded twice";
}

}  // namespace

std::vector<std::string> World::judge(const Call& call) const {
  std::vector<std::string> found(call.failures);
  if (call.timed_out_invite || call.final_status == 0) found.push_back("no final response");
  if (call.final_status && call.final_status != expected_status(call.kind) && !is_refused(call)) found.push_back("wrong final response");
  if (call.cancel_sent && call.cancel_status == 0) found.push_back("CANCEL unanswered");
  if (call.cancel_sent && call.cancel_status != 0 && call.cancel_status != 200) found.push_back("CANCEL answered other than 200");
  for (const auto& leg : call.legs) {
    if (call.cancel_sent && leg.final_status == 0) found.push_back("rings on");
    if (leg.final_status && !leg.acknowledged) found.push_back("missing ACK");
  }
  if (forwarded_twice(call)) found.push_back("INVITE forwarded twice");
  if (call.bye_sent && call.bye_status != 200) found.push_back("BYE failed");
  if (options_.cancels_only) std::erase_if(found, [&](const std::string& one) { return !promised_by_routes(call, one); });
  return found;
}

}  // namespace load
