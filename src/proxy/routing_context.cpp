#include "proxy/routing_context.hpp"

#include <algorithm>

#include "proxy/core.hpp"
#include "sip/uri.hpp"

namespace perdure::proxy {

void RoutingContext::reset() {
  kind = RouteKind::Request;
  received = nullptr;
  message = nullptr;
  edits = nullptr;
  target.uri.clear();
  target.destination_uri.clear();
  target.flags = 0;
  target.q = 1000;
  target.socket_key = 0;
  more_targets.clear();
  flags = 0;
  force_rport = local_rport = record_route = false;
  advertised_host.clear();
  advertised_port = 0;
  max_forwards_added = 70;
  record_route_params.clear();
  route_params.clear();
  upstream_headers.clear();
  reply_body.clear();
  reply_content_type.clear();
  armed.branch.clear();
  armed.reply.clear();
  armed.failure.clear();
  armed.branch_failure.clear();
  branch_failure_spent = false;
  account_line.clear();
  event.clear();
  on_event_end = nullptr;
  timers = {};
  switches = 0;
  silo_key.clear();
  variables.clear();
  variables_changed = false;
  script_state = nullptr;
  transaction = store::RecordId::none;
  branch = -1;
  status = 0;
  timed_out = branch_replied = relayed = drop = finished = released = false;
  drop_replies = Drop::IfRelayed;
  branches_before = 0;
  routes_removed = 0;
  request_uri_route.clear();
  work = nullptr;
  wait = 0;
  trying_is_due = false;
}

int RoutingContext::check_transaction() {
  auto& impl = *proxy.impl_;
  const auto key = transaction::server_key(*message, impl.options_.secret);
  const auto found = key ? impl.index_.find(*key) : impl.index_.end();
  // Retransmissions do not come as far as the script: what matches here is a CANCEL, or the ACK of a transaction.
  return found == impl.index_.end() ? -1 : 1;
}

std::uint64_t RoutingContext::begin_wait(Time deadline) {
  return proxy.impl_->begin_wait(*this, deadline);
}

int RoutingContext::new_transaction() {
  return proxy.impl_->new_transaction(*this);
}
int RoutingContext::relay() {
  return proxy.impl_->relay(*this);
}
int RoutingContext::relay_cancel() {
  return proxy.impl_->relay_cancel(*this);
}
int RoutingContext::forward() {
  return proxy.impl_->forward_stateless(*this);
}
int RoutingContext::loose_route() {
  return proxy.impl_->loose_route(*this);
}

int RoutingContext::reply(std::uint16_t code, std::string_view reason) {
  auto& impl = *proxy.impl_;
  if (code < 100 || code > 699) return -1;
  if (!work && impl.new_transaction(*this) < 0) return -1;
  if (work->header.status >= 200) return -1;
  work->header.flags = flags;
  impl.reply(*this, code, reason);
  finished = true;
  if (kind == RouteKind::Request && !impl.commit(*work, *outputs)) return -1;
  return 1;
}

int RoutingContext::stateless_reply(std::uint16_t code, std::string_view reason) {
  return code < 100 || code > 699 ? -1 : proxy.impl_->reply_stateless(*this, code, reason);
}

int RoutingContext::send_reply(std::uint16_t code, std::string_view reason) {
  return work ? reply(code, reason) : stateless_reply(code, reason);
}

int RoutingContext::refuse_by_drain() {
  return proxy.impl_->refuse_by_drain(*this);
}

int RoutingContext::process_max_forwards(std::uint32_t added) {
  if (message->find(sip::HeaderName::MaxForwards)) return message->max_forwards().value_or(0) == 0 ? -1 : 1;
  max_forwards_added = static_cast<std::uint8_t>(std::min(added, 255U));
  return 1;
}

bool RoutingContext::is_canceled() const {
  if (work) return work->header.canceled != 0;
  return false;
}

bool RoutingContext::is_set(std::string_view what) const {
  if (what == "branch_route") return !armed.branch.empty();
  if (what == "failure_route") return !armed.failure.empty();
  if (what == "branch_failure_route") return !armed.branch_failure.empty() && !branch_failure_spent;
  if (what == "onreply_route") return !armed.reply.empty();
  return false;
}

bool RoutingContext::is_myself(std::string_view host, std::uint16_t port) const {
  return proxy.impl_->is_myself(host, port);
}

bool RoutingContext::is_myself_uri(std::string_view uri) const {
  const auto parsed = sip::Uri::parse(uri);
  return parsed && is_myself(parsed->host, parsed->port);
}

}  // namespace perdure::proxy
