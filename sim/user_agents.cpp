#include "sim/user_agents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sip/builder.hpp"
#include "sip/message.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace perdure::sim {
namespace {

SocketAddress address_of(std::string_view uri_text, const SocketAddress& fallback) {
  const auto uri = sip::Uri::parse(uri_text);
  if (!uri) return fallback;
  return SocketAddress::parse(uri->host, uri->port ? uri->port : std::uint16_t{5060}).value_or(fallback);
}

std::string tag_of(const Gateway::Transaction& transaction, const SocketAddress& address) {
  return fmt::format("{}{}", address.port, transaction.branch.substr(std::min<std::size_t>(transaction.branch.size(), 16), 12));
}

}  // namespace

std::string parameter_of(Transport transport) {
  return transport == Transport::Udp ? std::string() : ";transport=" + std::string(name(transport));
}

// ---------------------------------------------------------------- Caller

Caller::Caller(Network& network, CallerOptions options) : network_(network), options_(std::move(options)) {
  invites_.reserve(2);
  if (options_.branch.empty()) options_.branch = options_.call_id + "inv";
  if (options_.host)
    options_.host->guests_.push_back(this);
  else
    network_.attach(options_.address, [this](const Packet& packet) { on_packet(packet); });
}

std::string Caller::uri() const {
  return fmt::format("sip:{}@{}", options_.user, options_.proxy.text());
}

std::string Caller::request(std::string_view method, std::string_view uri, std::string_view branch, std::string_view to,
                            std::string_view routes, int cseq, std::string_view headers) const {
  const auto self = options_.address.text();
  return fmt::format(
      "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{}\r\n{}Max-Forwards: 70\r\nFrom: <sip:alice@{}>;tag=a1\r\nTo: {}\r\n"
      "Call-ID: {}\r\nCSeq: {} {}\r\nContact: <sip:alice@{}{}>\r\n{}Content-Length: 0\r\n\r\n",
      method, uri, via_name(options_.transport), self, branch, routes, self, to, options_.call_id, cseq, method, self,
      parameter_of(options_.transport), headers);
}

void Caller::start() {
  invite(options_.branch, 1);
  // Either of the same CSeq number, or of the next one.
  if (options_.manners == Manners::InvitesTwice)
    network_.after(options_.again_after, [this] { invite(options_.branch + "2", options_.call_id.back() % 2 + 1); });
}

void Caller::invite(std::string branch, int cseq) {
  invites_.push_back({branch, cseq});
  seen_.unanswered = true;
  retransmit("INVITE" + branch, request("INVITE", uri(), branch, "<" + uri() + ">", {}, cseq, options_.extra_headers), options_.proxy, t1,
             Duration::max(), network_.now() + 64 * t1);
}

void Caller::send(const SocketAddress& to, const std::string& text) {
  constexpr int copies = 7;
  network_.send(options_.address, to, text);
  if (options_.manners != Manners::Repeats) return;
  for (int i = 1; i <= copies; ++i)
    network_.after(options_.again_after * i / copies, [=, this] { network_.send(options_.address, to, text); });
}

void Caller::retransmit(const std::string& key, std::string text, SocketAddress to, Duration interval, Duration cap, Time until) {
  if (network_.now() == until || interval == t1) waiting_.insert(key);
  if (!waiting_.contains(key)) return;
  if (network_.now() >= until) {
    if (key.starts_with("INVITE")) seen_.timed_out = true;
    waiting_.erase(key);
    return;
  }
  send(to, text);
  if (is_reliable(options_.transport)) interval = until - network_.now();  // Timers B and F only
  network_.after(interval, [=, this, text = std::move(text)]() mutable {
    if (!waiting_.contains(key)) return;
    const Duration next = cap == Duration::max() ? interval * 2 : std::min(interval * 2, cap);
    retransmit(key, std::move(text), to, next, cap, until);
  });
}

std::string Caller::cancel(const Invite& invite, std::string_view headers) const {
  return request("CANCEL", uri(), invite.branch, "<" + uri() + ">", {}, invite.cseq, headers);
}

void Caller::send_cancel(const Invite& invite) {
  seen_.cancel_sent = true;
  retransmit("CANCEL" + invite.branch, cancel(invite, {}), options_.proxy, t1, t2, network_.now() + 64 * t1);
  if (options_.manners == Manners::CancelsTwice) cancel_again(invite, "Reason: SIP;cause=480\r\n");
}

// One that nobody waits for.
void Caller::cancel_again(const Invite& invite, std::string_view headers) {
  network_.after(options_.again_after, [this, text = cancel(invite, headers)] { send(options_.proxy, text); });
}

void Caller::on_packet(const Packet& packet) {
  sip::Message message;
  if (!message.parse(packet.bytes) || message.is_request() || !message.cseq()) return;
  if (message.call_id() != options_.call_id) {
    for (Caller* guest : guests_)
      if (message.call_id() == guest->call_id()) guest->on_packet(packet);
    return;
  }
  const auto method = message.cseq()->method;
  if (method == sip::Method::Invite) return on_invite_response(packet);
  if (message.status() < 200) return;
  if (method == sip::Method::Cancel) {
    const auto* via = message.top_via();
    if (!via || !waiting_.erase("CANCEL" + std::string(via->branch.substr(std::min<std::size_t>(via->branch.size(), 7))))) return;
    seen_.cancel_status = std::max(seen_.cancel_status, message.status());
  } else if (method == sip::Method::Bye) {
    const std::string tag(message.to()->tag);
    seen_.answered[tag] = message.status();
    waiting_.erase("BYE" + tag);
  }
}

void Caller::on_invite_response(const Packet& packet) {
  sip::Message message;
  if (!message.parse(packet.bytes) || !message.to() || !message.top_via()) return;
  const auto status = message.status();
  const auto found = std::ranges::find_if(invites_, [&](const Invite& one) { return message.top_via()->branch == "z9hG4bK" + one.branch; });
  if (found == invites_.end()) return;
  Invite& invite = *found;
  waiting_.erase("INVITE" + invite.branch);
  if (status < 200) {
    seen_.provisionals.push_back(status);
    if (status == 100 || options_.cancel_after == never - Time{} || invite.cancel_sent) return;
    network_.after(options_.cancel_after, [this, &invite] {
      if (invite.ended || std::exchange(invite.cancel_sent, true)) return;
      send_cancel(invite);
    });
    return;
  }
  const bool first = !std::exchange(invite.ended, true);
  seen_.unanswered = std::ranges::any_of(invites_, [](const Invite& one) { return !one.ended; });
  seen_.finals.insert(status);
  if (first && options_.manners == Manners::CancelsLate) {
    send(options_.proxy, cancel(invite, {}));
    cancel_again(invite, "Reason: SIP;cause=480\r\n");
  }
  const std::string to(message.value(*message.find(sip::HeaderName::To)));
  if (status < 300) return on_answer(message, to);
  if (options_.manners != Manners::NeverAcks) send(options_.proxy, request("ACK", uri(), invite.branch, to, {}, invite.cseq));
}

void Caller::on_answer(const sip::Message& message, const std::string& to) {
  const std::string tag(message.to()->tag);
  if (options_.manners == Manners::NeverAcks) {
    seen_.answered[tag] = 0;
    return;
  }
  // RFC 3261 12.1.2: the route set is the Record-Route, last first.
  std::vector<std::string> set;
  for (const auto& value : message.values(sip::HeaderName::RecordRoute)) set.emplace_back(value.text);
  std::ranges::reverse(set);
  std::string routes;
  for (const auto& route : set) routes += "Route: " + route + "\r\n";
  const auto contact = sip::NameAddr::parse(message.value(*message.find(sip::HeaderName::Contact)));
  const std::string target(contact->uri);
  const auto next = set.empty() ? address_of(target, options_.proxy) : address_of(sip::NameAddr::parse(set.front())->uri, options_.proxy);
  send(next, request("ACK", target, options_.call_id + "ack" + tag, to, routes, static_cast<int>(message.cseq()->number)));
  if (seen_.answered.contains(tag)) return;
  seen_.answered[tag] = 0;
  network_.after(options_.hold, [=, this] {
    retransmit("BYE" + tag, request("BYE", target, options_.call_id + "bye" + tag, to, routes, 3), next, t1, t2, network_.now() + 64 * t1);
  });
}

// ---------------------------------------------------------------- Gateway

Gateway::Gateway(Network& network, GatewayOptions options) : network_(network), options_(std::move(options)) {
  network_.attach(options_.address, [this](const Packet& packet) { on_packet(packet); });
}

void Gateway::respond(const std::string& invite, const SocketAddress& to, std::uint16_t status) {
  sip::Message request;
  if (!request.parse(invite)) return;
  const auto& transaction = transactions_[std::string(request.top_via()->branch)];
  std::string text;
  sip::build_response(request, status, sip::default_reason(status), tag_of(transaction, options_.address),
                      fmt::format("Contact: <sip:gw@{}{}>\r\n", options_.address.text(), parameter_of(options_.transport)), {}, {}, text);
  network_.send(options_.address, to, text);
}

void Gateway::respond_until_ack(const std::string& branch, const std::string& invite, const SocketAddress& to, std::uint16_t status,
                                Duration interval, Time until) {
  Transaction& transaction = transactions_[branch];
  if (transaction.acked || network_.now() >= until) return;
  respond(invite, to, status);
  if (status >= 300 && is_reliable(options_.transport)) return;
  network_.after(interval, [=, this] { respond_until_ack(branch, invite, to, status, std::min(interval * 2, t2), until); });
}

void Gateway::answer(const std::string& branch, std::string invite, SocketAddress to, std::size_t index) {
  if (index >= options_.answers.size()) return;
  network_.after(options_.answers[index].first, [=, this, invite = std::move(invite)] {
    Transaction& transaction = transactions_[branch];
    if (transaction.last_status >= 200) return;
    const auto status = options_.answers[index].second;
    transaction.last_status = status;
    if (status < 200) {
      respond(invite, to, status);
      answer(branch, invite, to, index + 1);
    } else {
      respond_until_ack(branch, invite, to, status, t1, network_.now() + 64 * t1);
    }
  });
}

void Gateway::on_packet(const Packet& packet) {
  sip::Message message;
  if (!message.parse(packet.bytes) || !message.is_request() || !message.check()) {
    violations_.push_back("a message that is no valid request");
    return;
  }
  const std::string branch(message.top_via()->branch), call_id(message.call_id());
  const auto& to = packet.from;
  switch (message.method()) {
    case sip::Method::Invite: {
      auto [found, fresh] = transactions_.try_emplace(branch);
      Transaction& transaction = found->second;
      ++transaction.invites;
      if (fresh) {
        transaction.branch = branch;
        transaction.call_id = call_id;
        transaction.request_uri = message.request_uri();
        invites_[branch] = packet.bytes;
        answer(branch, packet.bytes, to, 0);
      } else if (invites_[branch] != packet.bytes) {
        violations_.push_back("an INVITE retransmission that differs from the first");
      } else if (transaction.last_status) {
        respond(packet.bytes, to, transaction.last_status);
      }
      break;
    }
    case sip::Method::Cancel: {
      const auto found = transactions_.find(branch);
      if (found == transactions_.end()) {
        violations_.push_back("a CANCEL for an INVITE that never came, branch " + branch);
        break;
      }
      Transaction& transaction = found->second;
      if (transaction.request_uri != message.request_uri()) violations_.push_back("a CANCEL with another Request-URI than its INVITE");
      ++transaction.cancels;
      std::string text;
      sip::build_response(message, 200, "OK", "cancel", {}, {}, {}, text);
      network_.send(options_.address, to, text);
      const bool first = !transaction.canceled;
      transaction.canceled = true;
      if (first && transaction.last_status < 200 && !options_.answer_crosses_cancel) {
        transaction.last_status = 487;
        respond_until_ack(branch, invites_[branch], to, 487, t1, network_.now() + 64 * t1);
      }
      break;
    }
    case sip::Method::Ack: {
      // The ACK of a non-2xx has the branch of its INVITE, that of a 2xx one of its own and our To tag.
      if (const auto found = transactions_.find(branch); found != transactions_.end()) {
        if (found->second.last_status < 300) violations_.push_back("a hop-by-hop ACK for a call without a failure");
        found->second.acked = true;
        break;
      }
      bool known = false;
      for (auto& [other, transaction] : transactions_)
        if (transaction.call_id == call_id && tag_of(transaction, options_.address) == message.to()->tag) {
          known = transaction.acked = true;
        }
      if (!known) violations_.push_back("an ACK that fits no INVITE");
      break;
    }
    default: {
      if (message.method() == sip::Method::Bye) byes_.insert(call_id);
      std::string text;
      sip::build_response(message, 200, "OK", {}, {}, {}, {}, text);
      network_.send(options_.address, to, text);
    }
  }
}

}  // namespace perdure::sim
