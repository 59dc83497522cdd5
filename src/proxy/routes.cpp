// [state] persist = "routes": what survives of an INVITE branch is where it went. After a restart the first CANCEL, final response or
// retransmission that asks for it makes a transaction of it again; everything else goes statelessly by Via (RFC 3261 16.11).
#include <algorithm>
#include <charconv>

#include "proxy/core.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::RouteHeader;
using transaction::State;

namespace {

std::uint64_t branch_key(store::RecordId id, std::size_t branch) {
  return std::uint64_t{id.value} << 8 | branch;
}
// Of a branch parameter. The nonce is random, so what the last mixing loses does not matter.
std::uint64_t parameter_key(std::uint32_t record, std::uint32_t nonce, std::uint8_t branch) {
  return (std::uint64_t{record} << 32 | nonce) ^ branch * 0x9E3779B97F4A7C15ULL;
}

// What a route has to say of a branch in that state; None: nothing.
State route_state(State branch) {
  switch (branch) {
    case State::Calling:
    case State::Proceeding:
      return branch;
    case State::Completed:
    case State::Accepted:
      return State::Completed;
    default:
      return State::None;
  }
}

}  // namespace

void Proxy::Impl::attach_routes(Time now) {
  route_wheel_ = transaction::TimerWheel(now);
  for (std::uint32_t index = worker_; index < routes_->partition_count(); index += worker_count_)
    routes_->partition(index).for_each<RouteHeader>([&](store::RecordId id, const RouteHeader& route) {
      if (route.key != RouteHeader::no_key) recovered_.emplace(route.key, id);
      recovered_names_[parameter_key(route.record, route.nonce, route.branch)] = id;
      route_wheel_.schedule(id.value, route.expire_at);
      ++counters_.transactions_recovered;
    });
}

void Proxy::Impl::expire_routes(Time now) {
  route_wheel_.advance(now, due_, 1024);
  for (const auto value : due_) {
    const store::RecordId id{value};
    const auto partition = routes_->partition_of(id);
    if (!partition || !routes_->partition(*partition).is_live<RouteHeader>(id)) continue;
    forget_recovered(id, routes_->partition(*partition).get<RouteHeader>(id));
    routes_->partition(*partition).erase<RouteHeader>(id);
  }
}

void Proxy::Impl::forget_recovered(store::RecordId id, const RouteHeader& route) {
  const auto [begin, end] = recovered_.equal_range(route.key);
  for (auto at = begin; at != end; ++at)
    if (at->second == id) {
      recovered_.erase(at);
      break;
    }
  recovered_names_.erase(parameter_key(route.record, route.nonce, route.branch));
  route_wheel_.cancel(id.value);
}

// An INVITE came again after its final response, or another call uses its branch: the old routes still answer for their branches,
// but are none of the new transaction.
void Proxy::Impl::part_with_recovered(std::uint64_t key) {
  const auto [begin, end] = recovered_.equal_range(key);
  for (auto at = begin; at != end; ++at) {
    auto& partition = routes_->partition(*routes_->partition_of(at->second));
    RouteHeader route = partition.get<RouteHeader>(at->second);
    route.key = RouteHeader::no_key;
    partition.commit(at->second, route);
  }
  recovered_.erase(begin, end);
}

bool Proxy::Impl::write_route(Work& work, std::size_t index, State state, Outputs& outputs) {
  auto& partition = routes_->partition(work.partition);
  const Branch& branch = work.branches[index];
  FrameScope scope(*this, outputs);
  sip::Message& sent = scope.frame.message;
  if (!sent.parse(read(work, branch.request))) return false;
  std::string& text = scope.frame.scratch;
  text.assign(sent.request_uri());
  text += "\r\n";
  for (const auto& field : sent.headers())
    if (field.name == sip::HeaderName::To || field.name == sip::HeaderName::Route) text += sent.line(field);
  part_with_recovered(work.header.key);
  RouteHeader route;
  route.key = work.header.key;
  route.expire_at = branch.expire_at == never ? never : branch.expire_at + options_.timer_c;
  route.destination = branch.destination;
  route.source = work.header.source;
  route.reply_to = work.header.reply_to;
  route.socket_key = branch.socket_key;
  route.upstream_socket_key = work.header.socket_key;
  route.upstream_connection = work.header.connection;
  route.connection = branch.connection;
  route.record = work.id.value;
  route.nonce = work.header.nonce;
  route.loop = work.header.loop_hash;
  route.branch = static_cast<std::uint8_t>(index);
  route.state = state;
  if (const auto* field = sent.find("Max-Breadth")) {
    const auto value = sent.value(*field);
    std::from_chars(value.data(), value.data() + value.size(), route.breadth);
  }
  const auto id = partition.reserve<RouteHeader>();
  if (id == store::RecordId::none) return false;
  route.text = partition.write(text);
  const auto name_of_server = server_name(work, branch);
  if (!name_of_server.empty()) route.server_name = partition.write(name_of_server);
  if (!route.text || (!name_of_server.empty() && !route.server_name)) {
    if (route.text) partition.abandon(route.text);
    partition.unreserve(id);
    return false;
  }
  partition.create(id, route);
  route_ids_[branch_key(work.id, index)] = id;
  return true;
}

bool Proxy::Impl::update_routes(Work& work, Outputs& outputs) {
  if (work.header.method != sip::Method::Invite) return true;
  auto& partition = routes_->partition(work.partition);
  for (std::size_t i = 0; i < work.header.branch_count; ++i) {
    const Branch& branch = work.branches[i];
    const State wanted = branch.located == transaction::Located::Waiting ? State::None : route_state(branch.state);
    const auto known = route_ids_.find(branch_key(work.id, i));
    if (known == route_ids_.end()) {
      if ((wanted == State::Calling || wanted == State::Proceeding) && !write_route(work, i, wanted, outputs)) {
        ++counters_.store_full;
        return false;
      }
      continue;
    }
    if (wanted == State::None) {
      erase_route(work, i);
      continue;
    }
    RouteHeader route = partition.get<RouteHeader>(known->second);
    if (route.state == wanted && branch.expire_at <= route.expire_at && (route.canceled != 0) == (work.header.canceled != 0) &&
        route.connection == branch.connection)
      continue;
    route.connection = branch.connection;
    route.canceled = work.header.canceled;
    route.state = wanted;
    route.expire_at = wanted == State::Completed ? branch.expire_at : branch.expire_at + options_.timer_c;
    partition.commit(known->second, route);
  }
  return true;
}

void Proxy::Impl::erase_route(const Work& work, std::size_t index) {
  const auto known = route_ids_.find(branch_key(work.id, index));
  if (known == route_ids_.end()) return;
  auto& partition = routes_->partition(work.partition);
  const RouteHeader& route = partition.get<RouteHeader>(known->second);
  revived_.erase(parameter_key(route.record, route.nonce, route.branch));
  partition.erase<RouteHeader>(known->second);
  route_ids_.erase(known);
}

void Proxy::Impl::erase_routes(const Work& work) {
  for (std::size_t i = 0; i < work.header.branch_count; ++i) erase_route(work, i);
}

const RouteHeader& Proxy::Impl::recovered_route(store::RecordId id) const {
  return routes_->partition(*routes_->partition_of(id)).get<RouteHeader>(id);
}

bool Proxy::Impl::has_recovered(std::uint64_t key, bool open) const {
  const auto [begin, end] = recovered_.equal_range(key);
  return std::any_of(begin, end, [&](const auto& entry) { return !open || recovered_route(entry.second).state != State::Completed; });
}

// A message with another Call-ID may lie in another partition, and has the key in common by mistake or malice: its routes are not ours.
bool Proxy::Impl::can_resume(const Work& work) const {
  const auto [begin, end] = recovered_.equal_range(work.header.key);
  return std::any_of(begin, end, [&](const auto& entry) {
    return routes_->partition_of(entry.second) == work.partition && recovered_route(entry.second).state != State::Completed;
  });
}

std::optional<store::RecordId> Proxy::Impl::revived_id(const transaction::BranchParameter& name) const {
  const auto found = revived_.find(parameter_key(name.record, name.nonce, name.branch));
  return found == revived_.end() ? std::nullopt : std::optional(found->second);
}

// Moves the recovered routes of work.header.key in its partition to `work`, each branch to its old place; what has no route there is over.
void Proxy::Impl::take_routes(Work& work, Time now) {
  std::vector<store::RecordId> ids;
  const auto [begin, end] = recovered_.equal_range(work.header.key);
  for (auto at = begin; at != end; ++at)
    if (routes_->partition_of(at->second) == work.partition) ids.push_back(at->second);
  for (const auto id : ids) {
    const RouteHeader route = routes_->partition(work.partition).get<RouteHeader>(id);
    forget_recovered(id, route);
    const std::size_t index = std::min<std::size_t>(route.branch, transaction::branches_max - 1);
    while (work.header.branch_count <= index) {
      work.branches[work.header.branch_count] = {};
      work.branches[work.header.branch_count++].state = State::Terminated;
    }
    Branch& branch = work.branches[index];
    branch.destination = route.destination;
    branch.socket_key = route.socket_key;
    branch.transport = options_.sockets[socket_from(route.socket_key)].transport;
    branch.connection = route.connection;
    branch.server_name = write(work, routes_->partition(work.partition).read(route.server_name));
    branch.state = route.state == State::Completed ? State::Terminated : route.state;
    branch.expire_at =
        route.state == State::Completed ? never : now + (route.state == State::Calling ? options_.fr_timer : options_.timer_c);
    if (route.canceled) {
      work.header.canceled = 1;
      branch.cancel_wanted = branch.state != State::Terminated;
    }
    route_ids_[branch_key(work.id, index)] = id;
    revived_[parameter_key(route.record, route.nonce, route.branch)] = work.id;
  }
}

// A transaction from the routes of `key`; `like` is a message of it, which has the parts that every message of a transaction has.
bool Proxy::Impl::revive(std::uint64_t key, const sip::Message& like, Work& work, Time now, Outputs& outputs) {
  work.begin();
  const auto first = recovered_.find(key);
  if (first == recovered_.end()) return false;
  work.partition = *routes_->partition_of(first->second);
  const RouteHeader model = routes_->partition(work.partition).get<RouteHeader>(first->second);
  work.id = store_.partition(work.partition).reserve<transaction::TransactionHeader>();
  if (work.id == store::RecordId::none) {
    ++counters_.store_full;
    return false;
  }
  work.created = true;
  auto& header = work.header;
  header.key = key;
  header.created = now;
  header.source = model.source;
  header.reply_to = model.reply_to;
  header.socket_key = model.upstream_socket_key;
  header.connection = model.upstream_connection;
  header.nonce = model.nonce;
  header.loop_hash = model.loop;
  header.method = sip::Method::Invite;
  header.state = State::Proceeding;
  take_routes(work, now);
  std::string invite;
  if (like.method() == sip::Method::Cancel) {
    // What the INVITE and its CANCEL have in common is enough to answer the INVITE of a user agent.
    invite = "INVITE ";
    invite += like.request_uri();
    invite += " SIP/2.0\r\n";
    for (const auto& field : like.headers())
      if (field.name != sip::HeaderName::CSeq) invite += like.line(field);
    invite += "CSeq: " + std::to_string(like.cseq()->number) + " INVITE\r\n\r\n";
    header.request = write(work, invite);
  }
  for (std::size_t i = 0; i < header.branch_count; ++i) {
    if (work.branches[i].state == State::Terminated) continue;
    const RouteHeader& route = routes_->partition(work.partition).get<RouteHeader>(route_ids_.at(branch_key(work.id, i)));
    write_invite(route, routes_->partition(work.partition).read(route.text), like, invite);
    work.branches[i].request = write(work, invite);
  }
  if (commit(work, outputs)) return true;
  for (std::size_t i = 0; i < header.branch_count; ++i) erase_route(work, i);
  discard(work);
  return false;
}

// The parts of the INVITE that its CANCEL and its ACK repeat.
void Proxy::Impl::write_invite(const RouteHeader& route, std::string_view text, const sip::Message& like, std::string& out) const {
  const std::size_t line_end = text.find("\r\n");
  const auto& socket = options_.sockets[socket_from(route.socket_key)];
  const auto name = transaction::BranchParameter{route.record, route.branch, route.nonce, route.loop}.text();
  out = "INVITE ";
  out += text.substr(0, line_end);
  out += " SIP/2.0\r\nVia: SIP/2.0/";
  out += via_name(socket.transport);
  out += " " + socket.advertised_host + ":" + std::to_string(socket.advertised_port) + ";branch=";
  out.append(name.data(), name.size());
  out += "\r\n";
  out += text.substr(line_end + 2);
  out += "From: ";
  if (const auto* from = like.find(sip::HeaderName::From)) out += like.value(*from);
  out += "\r\nCall-ID: ";
  out += like.call_id();
  out += "\r\nCSeq: " + std::to_string(like.cseq()->number) + " INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
}

// The INVITE itself comes again: it goes out under its old names, to where it went before, whatever the script says now.
bool Proxy::Impl::resume_routes(RoutingContext& context) {
  Work& work = *context.work;
  take_routes(work, context.now);
  FrameScope scope(*this, *context.outputs);
  for (std::size_t i = 0; i < work.header.branch_count; ++i) {
    Branch& branch = work.branches[i];
    if (branch.state == State::Terminated) continue;
    const RouteHeader& route = routes_->partition(work.partition).get<RouteHeader>(route_ids_.at(branch_key(work.id, i)));
    const std::string_view text = routes_->partition(work.partition).read(route.text);
    const NextHop hop{branch.destination, branch.transport, socket_from(branch.socket_key), false, {}};
    const auto name = transaction::BranchParameter{route.record, route.branch, route.nonce, route.loop}.text();
    Target target;
    target.uri = text.substr(0, text.find("\r\n"));
    sip::Edits& edits = scope.frame.branch_edits;
    edits = *context.edits;
    std::string& out = scope.frame.scratch;
    out.clear();
    write_forwarded(context, target, hop, {name.data(), name.size()}, edits, route.breadth, out);
    branch.request = write(work, out);
    if (!branch.request) return false;
    branch.state = State::Calling;
    branch.interval_ms = static_cast<std::uint32_t>(options_.t1 / 1ms);
    if (!is_reliable(branch.transport)) branch.retransmit_at = context.now + options_.t1;
    branch.expire_at = context.now + options_.fr_timer;
    work.emit |= transaction::pending_request(i);
  }
  return true;
}

Proxy::Impl::Recovery Proxy::Impl::recover_response(const transaction::BranchParameter& name, Frame& frame, Time now) {
  const auto found = recovered_names_.find(parameter_key(name.record, name.nonce, name.branch));
  const sip::Message& response = frame.message;
  if (found == recovered_names_.end() || response.cseq()->method != sip::Method::Invite) return Recovery::None;
  RouteHeader route = recovered_route(found->second);
  auto& partition = routes_->partition(*routes_->partition_of(found->second));
  // A CANCEL waits for this provisional, or may not have left: sent again it is a retransmission.
  const bool cancel_due = response.status() < 200 && route.canceled && route.state != State::Completed;
  if (cancel_due || (response.status() >= 300 && route.state != State::Completed))
    return revive(route.key, response, frame.work, now, *frame.context.outputs) ? Recovery::Revived : Recovery::None;
  if (response.status() >= 300) {
    // The final response again: the ACK of the engine before was lost.
    FrameScope scope(*this, *frame.context.outputs);
    write_invite(route, partition.read(route.text), response, scope.frame.scratch);
    FrameScope ack(*this, *frame.context.outputs);
    if (!scope.frame.message.parse(scope.frame.scratch)) return Recovery::Done;
    ack.frame.scratch.clear();
    sip::build_ack(scope.frame.message, response, ack.frame.scratch);
    Outputs& outputs = *frame.context.outputs;
    outputs.send({outputs.copy(ack.frame.scratch), route.destination, socket_from(route.socket_key), route.connection,
                  outputs.copy(partition.read(route.server_name))});
    return Recovery::Done;
  }
  const State state = response.status() < 200 ? State::Proceeding : State::Completed;
  if (route.state != state && route.state != State::Completed) {
    route.state = state;  // from now on a CANCEL may go there, or need not any more
    if (state == State::Completed) route.expire_at = now + 64 * options_.t1;
    partition.commit(found->second, route);
    route_wheel_.schedule(found->second.value, route.expire_at);
  }
  return Recovery::None;
}

}  // namespace perdure::proxy
