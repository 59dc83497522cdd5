#pragma once
// What must be true of everything that a proxy sends, whatever it was given. It sees requests as they enter and datagrams as they leave.
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "fuzz/input.hpp"
#include "proxy/outputs.hpp"
#include "sip/message.hpp"

namespace perdure::fuzz {

// A request that the proxy has sent to a gateway, which can be answered.
struct Forwarded {
  std::string text;
  SocketAddress destination;
  std::uint16_t socket = 0;
};

class Judge {
 public:
  static constexpr std::size_t forwarded_max = 16;

  // Strict: callers and networks may do what RFC 3261 allows, so transactions can be told apart by their branches. Otherwise only the
  // form of what leaves is judged.
  explicit Judge(bool strict) : strict_(strict) {}
  void relax() { strict_ = false; }

  // `branch` of the caller's top Via. A late duplicate, for which the transaction may be forgotten (Timer I), may begin another one.
  void on_request_in(const std::string& method, const std::string& branch, Time now) {
    Incoming& incoming = incoming_[{method, branch}];
    const bool ended_in_silence = method != "INVITE" && incoming.arrived_at != Time{} && now - incoming.arrived_at >= unanswered_after;
    if (incoming.finals.empty() ? ended_in_silence : now - incoming.final_at >= forgotten_after) {
      incoming = {};
      incoming.may_be_another = true;
    }
    incoming.arrived_at = now;
  }

  void on_sent(const proxy::Send& send, Time now) {
    expect(message_.parse(send.bytes).has_value(), "a malformed message leaves");
    expect(message_.bytes().size() == send.bytes.size(), "bytes leave behind the body of a message");
    expect(send.destination.port != 0, "a message leaves for port 0");
    if (message_.is_request())
      on_request_out(send);
    else
      on_response_out(now);
  }

  [[nodiscard]] const std::vector<Forwarded>& forwarded() const { return forwarded_; }

 private:
  static constexpr Duration forgotten_after = 5s, unanswered_after = 32s;  // T4, 64*T1
  struct Incoming {
    bool may_be_another = false;
    std::set<std::uint16_t> finals;
    Time arrived_at{}, final_at{};
    std::map<std::string, std::string> branch_by_destination;  // of the INVITE as forwarded
  };

  void on_request_out(const proxy::Send& send) {
    remember(send);
    if (!strict_) return;
    const sip::Via* top = message_.top_via();
    expect(top != nullptr, "a request leaves without a Via");
    const std::string branch(top->branch), method(message_.method_name()), destination = send.destination.text();
    // RFC 3261 17.1: every transmission of a request of one transaction is the same. An ACK has the To tag of what it acknowledges.
    std::string transmission = destination + "\n";
    if (message_.method() != sip::Method::Ack) transmission += send.bytes;
    const auto [known, is_new] = transmissions_.try_emplace({method, branch}, transmission);
    expect(known->second == transmission, "a request is sent again with other bytes or elsewhere");
    if (message_.method() == sip::Method::Cancel)
      expect(invites_.contains({branch, destination}), "a CANCEL goes where no INVITE of that branch went");
    if (message_.method() != sip::Method::Invite || !is_new) return;
    invites_.insert({branch, destination});
    Incoming* incoming = incoming_of(1);
    if (!incoming) return;
    const auto [first, fresh] = incoming->branch_by_destination.try_emplace(destination, branch);
    expect(first->second == branch, "an INVITE is forwarded twice");
  }

  void on_response_out(Time now) {
    const std::uint16_t status = message_.status();
    if (!strict_ || status < 200 || !message_.cseq()) return;
    Incoming* incoming = incoming_of(0);
    if (!incoming) return;
    // A full store answers without a transaction, so the next try may do better; so does an unknown CANCEL.
    if (status == 503 || message_.cseq()->method == sip::Method::Cancel) return;
    // Once the transaction is forgotten (Timer I, at the earliest), its responses are strays, which are forwarded (16.11).
    if (!incoming->finals.empty() && now - incoming->final_at >= forgotten_after) return;
    // Or of the one before this.
    if (incoming->may_be_another) return;
    // The same after Timer F, which ends in silence (RFC 4320 4.2).
    if (incoming->finals.empty() && message_.cseq()->method != sip::Method::Invite && now - incoming->arrived_at >= unanswered_after)
      return;
    // Completed repeats a failure until its ACK comes, whatever else has gone past it (17.2.1).
    if (incoming->finals.contains(status)) return;
    const bool invite = message_.cseq()->method == sip::Method::Invite, success = status < 300;
    for (const std::uint16_t other : incoming->finals) {
      // 16.7 step 5: each 2xx to an INVITE goes on, even after another final response.
      expect(invite && success, other < 300 ? "a failure after a 2xx" : "two final responses to one request");
    }
    if (incoming->finals.empty()) incoming->final_at = now;
    incoming->finals.insert(status);
  }

  // The caller's transaction: the Via at `index` from the top is the caller's.
  Incoming* incoming_of(std::size_t index) {
    const sip::CSeq* cseq = message_.cseq();
    if (!cseq) return nullptr;
    for (const auto& value : message_.values(sip::HeaderName::Via)) {
      if (index-- > 0) continue;
      const auto via = sip::Via::parse(value.text);
      if (!via) return nullptr;
      const auto found = incoming_.find({std::string(cseq->method_name), std::string(via->branch)});
      return found == incoming_.end() ? nullptr : &found->second;
    }
    return nullptr;
  }

  void remember(const proxy::Send& send) {
    if (message_.method() == sip::Method::Ack) return;
    for (const auto& one : forwarded_)
      if (one.text == send.bytes) return;
    if (forwarded_.size() == forwarded_max) forwarded_.erase(forwarded_.begin());
    forwarded_.push_back({std::string(send.bytes), send.destination, send.socket});
  }

  bool strict_;
  sip::Message message_;
  std::map<std::pair<std::string, std::string>, Incoming> incoming_;          // by method and branch
  std::map<std::pair<std::string, std::string>, std::string> transmissions_;  // by method and branch of ours
  std::set<std::pair<std::string, std::string>> invites_;                     // branch of ours, destination
  std::vector<Forwarded> forwarded_;
};

}  // namespace perdure::fuzz
