// RFC 3263 4.3: the servers of a name take over from each other. Each attempt is a branch of its own in the place of the one that has
// failed, whose response is not chosen any more.
#include <algorithm>
#include <string>

#include "proxy/core.hpp"
#include "proxy/server_list.hpp"
#include "sip/chars.hpp"

namespace perdure::proxy {

using transaction::Branch;
using transaction::Located;

namespace {

bool is_server_failure(const Branch& branch) {
  const bool tried = branch.located == Located::More || branch.located == Located::Last;
  return tried && (branch.timed_out || branch.status == 503);
}

// The branch parameter of the top Via; both have the same length.
bool rename_branch(std::string& text, const transaction::BranchParameter& parameter) {
  sip::Message message;
  if (!message.parse(text) || !message.top_via()) return false;
  const std::string_view old = message.top_via()->branch;
  const auto name = parameter.text();
  if (old.size() != name.size()) return false;
  text.replace(static_cast<std::size_t>(old.data() - message.bytes().data()), old.size(), name.data(), name.size());
  return true;
}

}  // namespace

bool Proxy::Impl::has_next_server(const Branch& failed) {
  return failed.located == Located::More && is_server_failure(failed);
}

void Proxy::Impl::take_next_servers(Work& work, Time now, Outputs& outputs) {
  const bool wanted = !work.header.canceled && end_of_life(work, timers_of(work)) > now;
  for (std::size_t i = 0, count = work.header.branch_count; i < count; ++i) {
    Branch& failed = work.branches[i];
    if (!is_over(failed) || !is_server_failure(failed)) continue;
    block_server(work, failed, now, outputs);
    if (wanted && failed.located == Located::More && !failed.dropped && take_next_server(work, i, now)) {
      failed.dropped = 1;
      failed.reports_failure = 0;
      ++counters_.next_servers;
    }
    failed.located = Located::Spent;
  }
}

bool Proxy::Impl::take_next_server(Work& work, std::size_t index, Time now) {
  const Branch& failed = work.branches[index];
  const std::size_t next_index = work.header.branch_count;
  ServerList list;
  if (next_index >= transaction::branches_max || !failed.request || !decode_servers(read(work, failed.server_name), list)) return false;
  if (options_.locating.blocked) options_.locating.blocked->put_last(list.left, now);
  const std::uint16_t made_for = written_for(failed);
  const auto hop = take_server(list.left, list.destination, made_for);
  std::string text(read(work, failed.request));
  if (!hop || !rename_branch(text, {work.id.value, static_cast<std::uint8_t>(next_index), work.header.nonce, work.header.loop_hash}))
    return false;
  Branch& next = work.branches[next_index];
  next = {};
  next.flags = failed.flags;
  next.q = failed.q;
  next.attempt = failed.attempt;
  next.reports_failure = failed.reports_failure;
  next.record_routed = failed.record_routed;
  NamedHop named{std::move(list.destination), std::move(list.left), *hop, false};
  if (!send_branch(work, next_index, text, made_for, named, now)) return false;
  ++work.header.branch_count;
  return true;
}

// Of a server that answers 503 only as long as it asks for (RFC 3261 21.5.4); at most as long as one that does not answer.
void Proxy::Impl::block_server(const Work& work, const Branch& failed, Time now, Outputs& outputs) {
  if (!options_.locating.blocked) return;
  Duration time = options_.locating.blocked_for;
  if (!failed.timed_out && !failed.unreachable) {
    FrameScope scope(*this, outputs);
    if (!scope.frame.message.parse(read(work, failed.response))) return;
    const auto* field = scope.frame.message.find("Retry-After");
    if (!field) return;
    const auto value = scope.frame.message.value(*field);
    const auto seconds = sip::chars::number<std::uint32_t>(value.substr(0, value.find_first_of(" ;(\t")));
    if (!seconds) return;
    time = std::min<Duration>(time, std::chrono::seconds(*seconds));
  }
  options_.locating.blocked->block({failed.transport, failed.destination}, now + time, now);
}

}  // namespace perdure::proxy
