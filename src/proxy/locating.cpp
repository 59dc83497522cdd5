// Next hops that are host names (RFC 3263). What the cache knows is used at once; otherwise the branch stands in the record as one that
// waits, written but not sent, until name servers have answered. The next process asks them again.
#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "base/checksum.hpp"
#include "proxy/core.hpp"
#include "proxy/server_list.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Located;
using transaction::State;

namespace {

// A search answers when its own time is over; who has heard nothing so long after that asks again.
constexpr Duration search_grace = 1s, search_again_after = 100ms;

std::uint64_t search_key(std::uint32_t nonce, std::size_t branch) {
  return std::uint64_t{nonce} << 8 | branch;
}

}  // namespace

std::optional<std::vector<locate::Server>> Proxy::Impl::find_servers(const locate::Destination& destination, locate::Answers& answers,
                                                                     std::string_view call_id, Time now) const {
  // The requests of a call go to the same one of equal servers, as far as nothing else decides (RFC 3263 4.4 on stateless proxies).
  auto found = locate::locate(destination, reach_, options_.locating.policy, answers, checksum(call_id, options_.secret + 5));
  if (!found.missing.empty()) return std::nullopt;
  if (options_.locating.blocked) options_.locating.blocked->put_last(found.servers, now);
  return std::move(found.servers);
}

std::optional<NextHop> Proxy::Impl::take_server(std::vector<locate::Server>& servers, const locate::Destination& destination,
                                                std::uint16_t preferred_socket) const {
  while (!servers.empty()) {
    const locate::Server server = servers.front();
    servers.erase(servers.begin());
    const auto socket = socket_for(server.transport, server.address.family, preferred_socket);
    if (socket) return NextHop{server.address, server.transport, *socket, !destination.transport, {}};
  }
  return std::nullopt;
}

std::optional<NamedHop> Proxy::Impl::look_up(const sip::Uri& uri, std::uint16_t preferred_socket, std::string_view call_id,
                                             Time now) const {
  if (!options_.locating.names) return std::nullopt;
  auto destination = locate::Destination::of(uri);
  if (!destination || !locate::canonical_name(destination->host)) return std::nullopt;
  NamedHop named{std::move(*destination), {}, {}, false};
  if (auto servers = find_servers(named.destination, *options_.locating.names, call_id, now)) {
    const auto hop = take_server(*servers, named.destination, preferred_socket);
    if (!hop) return std::nullopt;
    named.hop = *hop;
    named.others = std::move(*servers);
    return named;
  }
  if (!mailbox_) return std::nullopt;
  named.waits = true;
  named.hop.socket = preferred_socket;
  named.hop.transport = options_.sockets[preferred_socket].transport;
  return named;
}

bool Proxy::Impl::search(const locate::Destination& destination, std::function<void(Impl&, locate::AnswerSet&, Time, Outputs&)> done) {
  ++counters_.names_waited;
  return mailbox_ &&
         options_.locating.names->search({.destinations = {destination},
                                          .reach = reach_,
                                          .policy = options_.locating.policy,
                                          .timeout = options_.locating.timeout,
                                          .asker = worker_,
                                          .done = [mailbox = mailbox_, done = std::move(done)](std::shared_ptr<locate::AnswerSet> answers) {
                                            mailbox->post([answers = std::move(answers), done](Proxy& proxy, Time now, Outputs& outputs) {
                                              answers->complete();
                                              done(*proxy.impl_, *answers, now, outputs);
                                            });
                                          }});
}

bool Proxy::Impl::keep_servers(Work& work, Branch& branch, const NamedHop& named) {
  branch.located = named.waits ? Located::Waiting : named.others.empty() || !options_.locating.failover ? Located::Last : Located::More;
  std::string bytes;
  encode_servers(named.destination, named.others, bytes);
  branch.server_name = write(work, bytes);
  return static_cast<bool>(branch.server_name);
}

bool Proxy::Impl::await_servers(Work& work, std::size_t index, const locate::Destination& destination, Time now) {
  const auto key = search_key(work.header.nonce, index);
  if (!search(destination,
              [id = work.id, nonce = work.header.nonce, index](Impl& impl, locate::AnswerSet& answers, Time when, Outputs& outputs) {
                impl.on_servers(id, nonce, index, answers, when, outputs);
              }))
    return false;
  searching_.insert(key);
  work.branches[index].retransmit_at = never;
  work.branches[index].expire_at = now + options_.locating.timeout + search_grace;
  return true;
}

bool Proxy::Impl::awaits_servers(std::span<const Branch> branches) {
  return std::ranges::any_of(branches, [](const Branch& branch) { return branch.located == Located::Waiting; });
}

bool Proxy::Impl::go_on_waiting(Work& work, std::size_t index, Time now) {
  Branch& branch = work.branches[index];
  if (branch.cancel_wanted || work.header.status >= 200) {
    end_unsent(branch, 487);
    return false;
  }
  if (!searching_.contains(search_key(work.header.nonce, index))) {  // the process that asked has ended
    ServerList list;
    if (!options_.locating.names || !decode_servers(read(work, branch.server_name), list)) {
      end_unsent(branch, 478);
      return false;
    }
    if (!await_servers(work, index, list.destination, now)) branch.expire_at = now + search_again_after;
    return true;
  }
  if (branch.expire_at > now) return true;
  ++counters_.names_failed;
  end_unsent(branch, 478);
  return false;
}

void Proxy::Impl::on_servers(store::RecordId id, std::uint32_t nonce, std::size_t index, locate::AnswerSet& answers, Time now,
                             Outputs& outputs) {
  searching_.erase(search_key(nonce, index));
  FrameScope scope(*this, outputs);
  Work& work = scope.frame.work;
  if (!load(id, work) || work.header.nonce != nonce || index >= work.header.branch_count ||
      work.branches[index].located != Located::Waiting)
    return;  // its transaction has ended meanwhile
  if (record_mark_) *record_mark_ = id.value;
  scope.frame.context.now = now;
  if (!send_located(work, index, answers, now, outputs)) branch_failed(work, now, scope.frame.context);
  if (work.no_room || !commit(work, outputs)) {
    // The store is full: it goes on waiting, and asks again.
    abandon_written(work, false);
    wheel_.schedule(id.value, now + search_again_after);
  }
  if (record_mark_) *record_mark_ = store::RecordId::none.value;
}

bool Proxy::Impl::send_located(Work& work, std::size_t index, locate::AnswerSet& answers, Time now, Outputs& outputs) {
  Branch& branch = work.branches[index];
  if (branch.cancel_wanted || work.header.status >= 200) {
    end_unsent(branch, 487);
    return false;
  }
  ServerList list;
  FrameScope scope(*this, outputs);
  std::string& text = scope.frame.scratch;
  text.assign(read(work, branch.request));
  std::optional<std::vector<locate::Server>> servers;
  if (decode_servers(read(work, branch.server_name), list) && scope.frame.message.parse(text))
    servers = find_servers(list.destination, answers, scope.frame.message.call_id(), now);
  const std::uint16_t made_for = written_for(branch);
  const auto hop = servers ? take_server(*servers, list.destination, made_for) : std::nullopt;
  if (!hop) {
    ++counters_.names_failed;
    end_unsent(branch, 478);
    return false;
  }
  NamedHop named{std::move(list.destination), std::move(*servers), *hop, false};
  (void)send_branch(work, index, text, made_for, named, now);
  // With persist = "routes" the caller was to go on repeating its INVITE until now.
  const auto& header = work.header;
  if (routes_ && header.method == sip::Method::Invite && header.status == 0 &&
      !(header.switches & (transaction::no_trying | transaction::local)))
    work.emit |= transaction::pending_response;
  return true;
}

bool Proxy::Impl::send_branch(Work& work, std::size_t index, std::string& text, std::uint16_t made_for, NamedHop& named, Time now) {
  Branch& branch = work.branches[index];
  NextHop& hop = named.hop;
  if (branch.record_routed) move_record_route(text, socket_from(work.header.socket_key), made_for, hop.socket);
  (void)set_top_via_socket(text, options_.sockets[hop.socket]);
  const auto udp_key = socket_keys_[hop.socket];
  branch.fallback_socket_key = switch_to_tcp(hop, text) ? udp_key : 0;
  branch.destination = hop.address;
  branch.socket_key = socket_keys_[hop.socket];
  branch.transport = hop.transport;
  branch.request = write(work, text);
  if (!branch.request || !keep_servers(work, branch, named)) return false;
  const auto timers = timers_of(work);
  branch.state = work.header.method == sip::Method::Invite ? State::Calling : State::Trying;
  branch.interval_ms = timers.t1_ms ? timers.t1_ms : static_cast<std::uint32_t>(options_.t1 / 1ms);
  branch.retransmit_at = is_reliable(branch.transport) ? never : now + std::chrono::milliseconds(branch.interval_ms);
  branch.expire_at = first_response_deadline(work, timers, now);
  ++counters_.branches;
  observer_->on_branch(branch.destination);
  work.emit |= transaction::pending_request(index);
  return true;
}

void Proxy::Impl::end_unsent(Branch& branch, std::uint16_t status) {
  branch.state = State::Terminated;
  branch.status = status;
  branch.unreachable = 1;
  branch.located = Located::Spent;
  branch.cancel_wanted = 0;
  branch.expire_at = branch.retransmit_at = never;
}

std::string_view Proxy::Impl::server_name(const Work& work, const Branch& branch) {
  const auto bytes = read(work, branch.server_name);
  if (branch.located == Located::No) return bytes;
  return sip::is_secure(branch.transport) ? name_of_servers(bytes) : std::string_view{};
}

std::uint16_t Proxy::Impl::written_for(const Branch& branch) const {
  return socket_from(branch.fallback_socket_key ? branch.fallback_socket_key : branch.socket_key);
}

}  // namespace perdure::proxy
