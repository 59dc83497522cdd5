// RFC 3261 16.5 and 16.6: the target set, and a client transaction for each of its members. next_hop.cpp says where it goes.
#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::State;

namespace {
constexpr std::uint16_t address_switches = transaction::from_replaced | transaction::to_replaced;
}

void Proxy::Impl::write_forwarded(const RoutingContext& context, const Target& target, const NextHop& hop,
                                  std::string_view branch_parameter, sip::Edits& edits, std::uint32_t breadth, std::string& out) const {
  const sip::Message& request = *context.message;
  const auto& socket = options_.sockets[hop.socket];
  if (!target.uri.empty()) edits.set_request_uri(target.uri);
  char number[16];
  // Item 3: Max-Forwards.
  if (const auto* field = request.find(sip::HeaderName::MaxForwards)) {
    const auto hops = request.max_forwards().value_or(70) - 1;
    edits.replace_value(*field, {number, std::to_chars(number, number + sizeof number, hops).ptr});
  } else {
    text_.assign("Max-Forwards: ")
        .append(number, std::to_chars(number, number + sizeof number, context.max_forwards_added).ptr)
        .append("\r\n");
    edits.append(text_);
  }
  // Item 4: Record-Route, above those of others.
  if (context.record_route) {
    text_.clear();
    append_record_route(context, target, hop.socket, text_);
    edits.insert_before(sip::HeaderName::RecordRoute, text_);
  }
  if (breadth) {
    if (const auto* field = request.find("Max-Breadth")) edits.remove(*field);
    text_.assign("Max-Breadth: ").append(number, std::to_chars(number, number + sizeof number, breadth).ptr).append("\r\n");
    edits.append(text_);
  }
  // The received and rport of the hop before us (18.2.1, RFC 3581), then item 8: our own Via on top.
  if (const sip::Via* top = request.top_via()) {
    for (const auto& value : request.values(sip::HeaderName::Via)) {
      text_.clear();
      sip::via_with_received(*top, context.received->source, text_, context.force_rport);
      if (text_ != value.text) edits.replace_range(value.begin, value.end, text_);
      break;
    }
    const auto port_end = std::to_chars(number, number + sizeof number, context.advertised_port_of(socket)).ptr;
    text_.assign("Via: SIP/2.0/").append(via_name(socket.transport)).append(" ").append(context.advertised_host_of(socket)).append(":");
    text_.append(number, port_end).append(";branch=").append(branch_parameter);
    if (context.received->connection) append_connection(request, context.received->connection, text_);
    text_.append(context.local_rport ? ";rport\r\n" : "\r\n");
    edits.insert_before(sip::HeaderName::Via, text_);
  }
  edits.serialize_append(request, out);
}

// Adds one client transaction; its output leaves with the commit. False: the target cannot be reached or there is no room.
bool Proxy::Impl::add_branch(RoutingContext& context, const Target& target, std::uint32_t breadth) {
  Work& work = *context.work;
  auto& header = work.header;
  const std::size_t index = header.branch_count;
  if (index >= std::min<std::size_t>(options_.branches_max, transaction::branches_max)) return false;

  FrameScope scope(*this, *context.outputs);
  RoutingContext& inner = scope.frame.context;
  sip::Edits& edits = scope.frame.branch_edits;
  edits = *context.edits;
  const Target* chosen = &target;
  std::uint32_t flags = target.flags;
  if (!context.armed.branch.empty()) {
    // The branch route sees and changes the request of this branch only.
    inner.received = context.received;
    inner.message = context.message;
    inner.edits = &edits;
    inner.now = context.now;
    inner.kind = RouteKind::Branch;
    inner.target = target;
    inner.flags = context.flags;
    inner.local_rport = context.local_rport;
    inner.advertised_host = context.advertised_host;
    inner.advertised_port = context.advertised_port;
    inner.max_forwards_added = context.max_forwards_added;
    inner.record_route = context.record_route;
    inner.record_route_params = context.record_route_params;
    inner.route_params = context.route_params;
    inner.force_rport = context.force_rport;
    inner.routes_removed = context.routes_removed;
    inner.request_uri_route = context.request_uri_route;
    inner.armed = context.armed;
    inner.timers = context.timers;
    inner.branch_failure_spent = context.branch_failure_spent;
    inner.switches = context.switches & address_switches;
    inner.variables = context.variables;
    inner.transaction = context.transaction;
    inner.branch = static_cast<int>(index);
    if (!runner_.run(inner, RouteKind::Branch, context.armed.branch)) ++counters_.script_errors;
    context.timers = inner.timers;
    context.switches |= inner.switches;
    if (inner.variables_changed) {
      context.variables = inner.variables;
      context.variables_changed = true;
    }
    if (inner.drop) return false;
    chosen = &inner.target;
    flags = inner.target.flags;
  }
  auto hop = next_hop(context, *chosen);
  std::optional<NamedHop> named;
  if (!hop) {
    if (!(named = named_hop(context, *chosen))) return false;
    hop = named->hop;
  }

  Branch& branch = work.branches[index];
  branch = {};
  branch.destination = hop->address;
  branch.flags = flags;
  branch.q = chosen->q;
  header.switches |= context.switches & address_switches;
  branch.reports_failure = !context.armed.branch_failure.empty() && !context.branch_failure_spent;
  const auto parameter =
      transaction::BranchParameter{work.id.value, static_cast<std::uint8_t>(index), header.nonce, header.loop_hash}.text();
  auto& text = scope.frame.scratch;
  text.clear();
  const RoutingContext& view = context.armed.branch.empty() ? context : inner;
  write_forwarded(view, *chosen, *hop, {parameter.data(), parameter.size()}, edits, breadth, text);
  const auto udp_key = socket_keys_[hop->socket];
  if (switch_to_tcp(*hop, text)) branch.fallback_socket_key = udp_key;
  branch.socket_key = socket_keys_[hop->socket];
  branch.transport = hop->transport;
  branch.record_routed = view.record_route ? 1 : 0;
  if (named) {
    if (!keep_servers(work, branch, *named)) return false;
  } else if (sip::is_secure(hop->transport)) {
    branch.server_name = write(work, hop->server_name);
  }
  branch.request = write(work, text);
  if (!branch.request) return false;
  const bool invite = header.method == sip::Method::Invite;
  branch.state = invite ? State::Calling : State::Trying;
  if (named && named->waits) {
    if (!await_servers(work, index, named->destination, context.now)) return false;
    ++header.branch_count;
    return true;
  }
  branch.interval_ms = context.timers.t1_ms ? context.timers.t1_ms : static_cast<std::uint32_t>(options_.t1 / 1ms);
  if (!is_reliable(branch.transport)) branch.retransmit_at = context.now + std::chrono::milliseconds(branch.interval_ms);
  branch.expire_at = first_response_deadline(work, context.timers, context.now);
  ++header.branch_count;
  ++counters_.branches;
  observer_->on_branch(branch.destination);
  work.emit |= transaction::pending_request(index);
  return true;
}

// RFC 5393 5.3: the breadth of the request is shared among the branches of the moment. 0: no Max-Breadth is needed; nullopt: too little for
// so many.
std::optional<std::uint32_t> Proxy::Impl::share_breadth(const sip::Message& request, std::uint32_t branches) const {
  const auto* field = request.find("Max-Breadth");
  if (!field && branches <= 1) return 0;
  std::uint32_t total = options_.max_breadth;
  if (field) {
    const auto text = request.value(*field);
    std::from_chars(text.data(), text.data() + text.size(), total);
  }
  if (total < branches) return std::nullopt;
  return total / branches;
}

// Targets of the highest q among those that wait, in parallel (16.6: forking by q).
void Proxy::Impl::start_next_targets(RoutingContext& context) {
  Work& work = *context.work;
  std::vector<Target>& waiting = context.more_targets;
  if (waiting.empty()) return;
  const std::uint16_t best = std::ranges::max(waiting, {}, &Target::q).q;
  const auto breadth = share_breadth(*context.message, static_cast<std::uint32_t>(std::ranges::count(waiting, best, &Target::q)));
  if (!breadth) return;
  std::vector<Target> later;
  for (Target& target : waiting) {
    if (target.q == best)
      (void)add_branch(context, target, *breadth);
    else
      later.push_back(std::move(target));
  }
  std::string bytes;
  encode_targets(later, bytes);
  work.header.targets = write(work, bytes);
  waiting.clear();
}

// The branches from `first` on are an attempt of their own.
void Proxy::Impl::begin_attempt(Work& work, std::size_t first) {
  if (first == 0) return;
  const std::uint8_t last = work.branches[first - 1].attempt;
  for (std::size_t i = first; i < work.header.branch_count; ++i) work.branches[i].attempt = static_cast<std::uint8_t>(last + 1);
}

int Proxy::Impl::relay(RoutingContext& context) {
  const sip::Message& request = *context.message;
  if (request.method() == sip::Method::Cancel) {
    if (relay_cancel(context) != 1) return 1;
    if (options_.cancel_unknown_forwards) return forward_stateless(context);
    return reply_stateless(context, 481, "Call/Transaction Does Not Exist");
  }
  if (request.method() == sip::Method::Ack) return forward_stateless(context);
  if (context.work && (context.work->header.canceled || context.work->header.status >= 200)) return -1;
  // 16.7 item 5: after a 6xx no new branches.
  if (context.kind == RouteKind::BranchFailure && context.status >= 600 && !(context.work->header.switches & transaction::no_6xx))
    return -1;
  const bool silent = ((context.work ? context.work->header.switches : context.switches) & transaction::no_internal_reply) != 0;
  const auto refusal = validate(context);
  if (refusal.code) {
    if (silent) return -1;
    if (context.work) {
      reply(context, refusal.code, refusal.reason, refusal.headers);
      if (context.kind == RouteKind::Request) (void)commit(*context.work, *context.outputs);
    } else {
      reply_stateless(context, refusal.code, refusal.reason, refusal.headers);
    }
    return -1;
  }
  const bool created = !context.work;
  if (created && !new_work(context)) {
    if (!silent) reply_stateless(context, 503, "Service Unavailable", "Retry-After: 5\r\n");
    return -1;
  }
  Work& work = *context.work;
  work.header.flags = context.flags;
  work.no_room = false;
  const std::uint8_t before = work.header.branch_count;
  const store::BlobRef context_before = work.header.context, targets_before = work.header.targets;
  const auto asked = context.more_targets.size() + 1;
  if (before == 0 && routes_ && can_resume(work)) {
    if (!resume_routes(context)) return give_up_relay(context, created);
  } else if (asked == 1) {
    if (const auto breadth = share_breadth(request, 1)) (void)add_branch(context, context.target, *breadth);
  } else {
    context.more_targets.insert(context.more_targets.begin(), context.target);
    start_next_targets(context);
  }
  if (work.header.branch_count > before && !work.no_room) save_attempt(context);
  if (work.no_room && context.kind != RouteKind::Request) {
    // The best response so far goes upstream. What was written is given back at the commit.
    for (std::size_t i = before; i < work.header.branch_count; ++i) work.emit &= ~transaction::pending_request(i);
    work.header.branch_count = before;
    work.header.context = context_before;
    work.header.targets = targets_before;
    return -1;
  }
  if (work.no_room) return give_up_relay(context, created);
  if (work.header.branch_count == before) {
    // Nothing could be sent: too little breadth (RFC 5393), or no target that we can reach.
    const bool breadth = request.find("Max-Breadth") && asked > 1;
    if (created) {
      discard(work);
      context.work = nullptr;
      if (!silent) reply_stateless(context, breadth ? 440 : 478, breadth ? "Max-Breadth Exceeded" : "Unresolvable destination");
    } else if (context.kind == RouteKind::Request && !silent) {
      reply(context, breadth ? 440 : 478, breadth ? "Max-Breadth Exceeded" : "Unresolvable destination");
      (void)commit(work, *context.outputs);
    }
    return -1;
  }
  if (context.kind == RouteKind::BranchFailure) {
    // It takes the place of the one that has failed.
    for (std::size_t i = before; i < work.header.branch_count; ++i)
      work.branches[i].attempt = work.branches[static_cast<std::size_t>(context.branch)].attempt;
  } else {
    begin_attempt(work, before);
  }
  context.relayed = true;
  context.finished = true;
  if ((created || context.trying_is_due) && work.header.method == sip::Method::Invite && !(work.header.switches & transaction::no_trying) &&
      !(routes_ && awaits_servers({work.branches.data(), work.header.branch_count})))  // send_located() says why
    work.emit |= transaction::pending_response;                                        // 100 Trying, 16.2
  if (context.kind != RouteKind::Request) return 1;  // a failure route: committed with the response that caused it
  if (!commit(work, *context.outputs, &request)) return give_up_relay(context, created);
  context.transaction = work.id;
  return 1;
}

// The headers that a failure route changes are for its own attempt, and targets of it that wait for their turn. The next failure route
// begins with those of the request route again.
void Proxy::Impl::save_attempt(RoutingContext& context) {
  const bool of_failure = context.kind == RouteKind::Failure || context.kind == RouteKind::BranchFailure;
  if (of_failure && !context.work->header.targets)
    save_context_without_edits(context);
  else
    save_context(context);
}

// In the request route the store has no room for a branch or for what the script has set.
int Proxy::Impl::give_up_relay(RoutingContext& context, bool created) {
  constexpr std::string_view reason = "Service Unavailable", headers = "Retry-After: 5\r\n";
  Work& work = *context.work;
  const bool silent = (work.header.switches & transaction::no_internal_reply) != 0;
  context.relayed = context.finished = false;
  if (created) {
    discard(work);
    context.work = nullptr;
    if (!silent) reply_stateless(context, 503, reason, headers);
    return -1;
  }
  // The transaction stands in the store as it was before this run; what would have been its branches is forgotten.
  abandon_written(work, false);
  if (!load(work.id, work) || silent) return -1;
  reply(context, 503, reason, headers);
  (void)commit(work, *context.outputs);
  return -1;
}

}  // namespace perdure::proxy
