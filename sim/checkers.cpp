#include "sim/checkers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <unordered_set>

#include "base/checksum.hpp"
#include "sim/routes.hpp"
#include "transaction/key.hpp"

namespace perdure::sim {

using transaction::BranchParameter;
using transaction::State;
using transaction::TransactionHeader;

void Checker::report(std::string_view call_id, std::string text) {
  if (violations_.size() < kept_max) violations_.push_back({name_, std::string(call_id), std::move(text)});
}

namespace {

std::string key_of(const SocketAddress& to, const sip::Message& message) {
  const auto* via = message.top_via();
  const auto* cseq = message.cseq();
  return fmt::format("{} {} {}", to.text(), via ? via->branch : "", cseq ? cseq->method_name : "");
}

// RFC 3261 17.2: a server transaction sends one final response; its retransmissions are the same bytes. Several 2xx to an INVITE come from
// several callees (13.2.2.4), and one may follow another final response (16.7 item 5).
class OneFinalResponse final : public Checker {
 public:
  OneFinalResponse() : Checker("one final response") {}
  void on_output(const WorldView& view, Time, const SocketAddress& to, const sip::Message& message) override {
    if (message.is_request() || message.status() < 200) return;
    const bool several = message.status() < 300 && message.cseq()->method == sip::Method::Invite;
    const std::string key = fmt::format("{} {}", key_of(to, message), message.call_id());
    if (several) {
      answered_.insert(key);
      return;
    }
    // A full store: there is no transaction, and a retransmission may find room for one. A 503 of a gateway goes no further (16.7 item 6).
    if (view.may_refuse && message.status() == 503) return;
    // Two calls that share a branch may be two transactions, if they belong to different workers.
    const auto [found, first] = finals_.try_emplace(key, checksum(message.bytes()));
    if (!first && found->second != checksum(message.bytes()))
      report(message.call_id(), fmt::format("a second final response, {}, to {}", message.status(), key_of(to, message)));
    // Where the store is full, nothing may be left of an answer that went upstream all the same.
    if (first && answered_.contains(key) && !view.may_refuse)
      report(message.call_id(), fmt::format("{} after a 2xx to {}", message.status(), key_of(to, message)));
  }

 private:
  std::unordered_map<std::string, std::uint64_t> finals_;
  std::unordered_set<std::string> answered_;  // with a 2xx to an INVITE
};

// 16.6: an INVITE goes to each target once. Its retransmissions have the same branch and are the same bytes.
class InviteOnce final : public Checker {
 public:
  InviteOnce() : Checker("no INVITE twice") {}
  void on_output(const WorldView& view, Time, const SocketAddress& to, const sip::Message& message) override {
    if (!message.is_request() || message.method() != sip::Method::Invite) return;
    const auto hash = checksum(message.bytes());
    const auto [found, first] = branches_.try_emplace(key_of(to, message), hash);
    if (!first) {
      if (found->second != hash) report(message.call_id(), "an INVITE was sent again with other bytes");
      return;
    }
    // A caller that invites twice has two INVITEs, which the CSeq need not tell apart: its own branches would, but they do not go on.
    const std::string target = fmt::format("{} {}", message.call_id(), to.text());
    if (++targets_[target] > invites(view, message.call_id()) * planned(message, to))
      report(message.call_id(), "an INVITE went on a new branch to " + to.text());
  }

 private:
  // How many INVITEs the caller means, retransmissions apart.
  static std::size_t invites(const WorldView& view, std::string_view call_id) {
    const auto number = call_id.rfind('-');
    std::size_t index = view.calls.size();
    if (number != std::string_view::npos) std::from_chars(call_id.data() + number + 1, call_id.data() + call_id.size(), index);
    return index < view.calls.size() && view.calls[index].caller->manners() == Manners::InvitesTwice ? 2 : 1;
  }
  // How often the plan names that gateway; it stands in the To header as the caller wrote it.
  static std::size_t planned(const sip::Message& message, const SocketAddress& to) {
    const auto* uri = message.to_uri();
    const auto plan = CallPlan::from_user(uri ? uri->user : std::string_view{});
    return static_cast<std::size_t>(
        std::ranges::count_if(plan.gateways, [&](std::size_t gateway) { return gateway_address(gateway) == to; }));
  }
  std::unordered_map<std::string, std::uint64_t> branches_;
  std::unordered_map<std::string, std::size_t> targets_;
};

// 9.1 and 16.10: a CANCEL follows its INVITE: same branch, same place, after a provisional response; and only one.
class CancelFits final : public Checker {
 public:
  CancelFits() : Checker("CANCEL fits its INVITE") {}
  void on_output(const WorldView& view, Time, const SocketAddress& to, const sip::Message& message) override {
    if (!message.is_request() || message.method() != sip::Method::Cancel) return;
    const std::string branch(message.top_via()->branch);
    if (!BranchParameter::parse(branch)) return;  // it fits no transaction and was forwarded without one (16.10)
    const auto hash = checksum(message.bytes());
    if (const auto [found, first] = cancels_.try_emplace(branch, hash); !first) {
      if (found->second != hash) report(message.call_id(), "a CANCEL was sent again with other bytes");
      return;
    }
    for (const auto& gateway : view.gateways) {
      const auto found = gateway->transactions().find(branch);
      if (found == gateway->transactions().end()) continue;
      if (!(gateway->address() == to)) report(message.call_id(), "a CANCEL went elsewhere than its INVITE");
      if (found->second.last_status == 0) report(message.call_id(), "a CANCEL was sent before a provisional response");
      return;
    }
    report(message.call_id(), "a CANCEL whose branch no gateway knows: " + branch);
  }

 private:
  std::unordered_map<std::string, std::uint64_t> cancels_;
};

// What the callers and gateways saw at the end: everybody was served to the end, whatever happened to the proxy. Of who misbehaves less is
// asked, but never less of the gateways, who are not to blame.
class CallsEnd final : public Checker {
 public:
  CallsEnd() : Checker("calls end") {}
  void at_end(const WorldView& view) override {
    std::map<std::string, std::size_t, std::less<>> answers;  // 2xx of gateways, by call
    std::set<std::string_view> never_ack;
    for (const auto& call : view.calls)
      if (call.caller->manners() == Manners::NeverAcks) never_ack.insert(call.caller->call_id());
    for (const auto& gateway : view.gateways) {
      const auto& kind = gateway_kinds()[static_cast<std::size_t>(&gateway - view.gateways.data()) % gateway_kinds().size()];
      for (const auto& violation : gateway->violations()) report({}, gateway->address().text() + ": " + violation);
      for (const auto& [branch, transaction] : gateway->transactions()) {
        if (transaction.last_status < 200 && !kind.is_silent())
          report(transaction.call_id, "a gateway rings on: " + std::string(kind.name));
        const bool answer = transaction.last_status >= 200 && transaction.last_status < 300;
        // The ACK of a failure is ours.
        if (transaction.last_status >= 200 && !transaction.acked && !(answer && never_ack.contains(transaction.call_id)))
          report(transaction.call_id, "a final response was never acknowledged");
        if (answer) ++answers[transaction.call_id];
      }
    }
    for (const auto& call : view.calls) check(view, call, answers);
  }

 private:
  void check(const WorldView& view, const SimulatedCall& call, const std::map<std::string, std::size_t, std::less<>>& answers) {
    const auto& seen = call.caller->seen();
    const auto& id = call.caller->call_id();
    const Manners manners = call.caller->manners();
    const auto found = answers.find(id);
    const std::size_t answered = found == answers.end() ? 0 : found->second;
    if (seen.answered.size() != answered) report(id, fmt::format("{} of {} answers reached the caller", seen.answered.size(), answered));
    if (call.shares_branch) return;
    if (seen.timed_out) report(id, "the caller's INVITE timed out");
    // A 503 that says that the store is full comes without a transaction: a retransmission that follows it may find room.
    const bool refused = view.may_refuse && seen.finals.contains(503);
    const auto failures = std::ranges::count_if(seen.finals, [](std::uint16_t status) { return status >= 300; });
    const auto failures_max = manners == Manners::InvitesTwice || refused ? 2 : 1;
    if (seen.unanswered) report(id, "the caller got no final response");
    if (failures > failures_max) report(id, fmt::format("the caller got {} failures", failures));
    for (const auto& [tag, status] : seen.answered)
      if (status != 200 && manners != Manners::NeverAcks && !(view.may_refuse && status == 503))
        report(id, fmt::format("a BYE ended with {}", status));
    if (seen.cancel_sent && seen.cancel_status != 200) report(id, fmt::format("the CANCEL ended with {}", seen.cancel_status));
  }
};

// "Persist, then speak": a request that leaves stands in the store, with the state that sends it.
class Committed final : public Checker {
 public:
  Committed() : Checker("sent means committed") {}
  void on_output(const WorldView& view, Time, const SocketAddress&, const sip::Message& message) override {
    if (!message.is_request() || message.method() == sip::Method::Ack) return;
    const auto name = BranchParameter::parse(message.top_via()->branch);
    if (!name) return;  // forwarded without a transaction
    const store::RecordId id{name->record};
    const auto partition = view.store.partition_of(id);
    if (!partition || !view.store.partition(*partition).is_live<TransactionHeader>(id))
      return report(message.call_id(), "a request left whose transaction is not in the store");
    const auto& header = view.store.partition(*partition).get<TransactionHeader>(id);
    if (header.nonce != name->nonce || name->branch >= header.branch_count)
      report(message.call_id(), "a request left on a branch that is not in the store");
    else if (message.method() == sip::Method::Cancel && header.branch_count == 1 && header.branch.cancel_state == State::None)
      report(message.call_id(), "a CANCEL left that is not in the store");
  }
};

// Each transaction is in a state of its machine and never goes back (17.1, 17.2, RFC 6026).
class StatesGoForward final : public Checker {
 public:
  StatesGoForward() : Checker("states go forward") {}
  void on_state(const WorldView& view, Time) override {
    for (std::uint32_t i = 0; i < view.store.partition_count(); ++i)
      view.store.partition(i).for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
        const bool invite = header.method == sip::Method::Invite;
        const int now = rank(header.state);
        if (!allowed(header.state, invite)) report({}, fmt::format("a server transaction in state {}", static_cast<int>(header.state)));
        auto& before = ranks_[std::uint64_t{id.value} << 32 | header.nonce];
        if (now < before) report({}, fmt::format("a server transaction went back from {} to {}", before, now));
        before = std::max(before, now);
      });
  }

 private:
  static bool allowed(State state, bool invite) {
    switch (state) {
      case State::Trying:
        return !invite;
      case State::Proceeding:
      case State::Completed:
      case State::Terminated:
        return true;
      case State::Accepted:
      case State::Confirmed:
        return invite;
      default:
        return false;
    }
  }
  static int rank(State state) {
    switch (state) {
      case State::Trying:
        return 1;
      case State::Proceeding:
        return 2;
      case State::Completed:
      case State::Accepted:
        return 3;
      case State::Confirmed:
        return 4;
      default:
        return 5;
    }
  }
  std::unordered_map<std::uint64_t, int> ranks_;
};

// No record outlives its timers: none is overdue while the world runs, and at the end the store is empty.
class NothingLeft final : public Checker {
 public:
  NothingLeft() : Checker("no record outlives its timers") {}
  void on_state(const WorldView& view, Time now) override {
    // Who finds no room to go on tries again for four times 64*T1.
    const Duration late = view.may_refuse ? 260 * t1 : 4 * t1;
    for (std::uint32_t i = 0; i < view.store.partition_count(); ++i)
      view.store.partition(i).for_each<TransactionHeader>([&](store::RecordId, const TransactionHeader& header) {
        const Time due = std::min({header.retransmit_at, header.expire_at});
        if (due < now - late) report({}, "a record is overdue");
        // Timer C three times over, for serial forking, with all that follows.
        if (header.created < now - 15min) report({}, "a transaction is older than any can be");
      });
  }
  void at_end(const WorldView& view) override {
    if (const auto used = view.store.usage().used_bytes) report({}, fmt::format("{} bytes are left in the store", used));
  }
};

}  // namespace

std::vector<std::unique_ptr<Checker>> make_checkers() {
  std::vector<std::unique_ptr<Checker>> all;
  all.push_back(std::make_unique<OneFinalResponse>());
  all.push_back(std::make_unique<InviteOnce>());
  all.push_back(std::make_unique<CancelFits>());
  all.push_back(std::make_unique<CallsEnd>());
  all.push_back(std::make_unique<Committed>());
  all.push_back(std::make_unique<StatesGoForward>());
  all.push_back(std::make_unique<NothingLeft>());
  return all;
}

}  // namespace perdure::sim
