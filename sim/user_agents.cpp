#include "sim/user_agents.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  network_.attach(options_.address, [this](const Packet& packet) { on_packet(packet); });
}

std::string Caller::request(std::string_view method, std::string_view uri, std::string_view branch, std::string_view to,
                            std::string_view routes, int cseq) const {
  const auto self = options_.address.text();
  return fmt::format(
      "{} {} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{}{}\r\n{}Max-Forwards: 70\r\nFrom: <sip:alice@{}>;tag=a1\r\nTo: {}\r\n"
      "Call-ID: {}\r\nCSeq: {} {}\r\nContact: <sip:alice@{}{}>\r\n{}Content-Length: 0\r\n\r\n",
      method, uri, via_name(options_.transport), self, options_.call_id, branch, routes, self, to, options_.call_id, cseq,
      method == "CANCEL" ? "CANCEL" : method, self, parameter_of(options_.transport),
      method == "INVITE" ? options_.extra_headers : std::string());
}

void Caller::start() {
  const auto uri = fmt::format("sip:{}@{}", options_.user, options_.proxy.text());
  retransmit("INVITE", request("INVITE", uri, "inv", "<" + uri + ">", {}, 1), options_.proxy, t1, Duration::max(),
             network_.now() + 64 * t1);
}

void Caller::retransmit(const std::string& key, std::string text, SocketAddress to, Duration interval, Duration cap, Time until) {
  if (network_.now() == until || interval == t1) waiting_.insert(key);
  if (!waiting_.contains(key)) return;
  if (network_.now() >= until) {
    if (key == "INVITE") seen_.timed_out = true;
    waiting_.erase(key);
    return;
  }
  network_.send(options_.address, to, text);
  if (is_reliable(options_.transport)) interval = until - network_.now();  // Timers B and F only
  network_.after(interval, [=, this, text = std::move(text)]() mutable {
    if (!waiting_.contains(key)) return;
    const Duration next = cap == Duration::max() ? interval * 2 : std::min(interval * 2, cap);
    retransmit(key, std::move(text), to, next, cap, until);
  });
}

void Caller::send_cancel() {
  if (!seen_.finals.empty() || seen_.cancel_sent) return;
  seen_.cancel_sent = true;
  const auto uri = fmt::format("sip:{}@{}", options_.user, options_.proxy.text());
  retransmit("CANCEL", request("CANCEL", uri, "inv", "<" + uri + ">", {}, 1), options_.proxy, t1, t2, network_.now() + 64 * t1);
}

void Caller::on_packet(const Packet& packet) {
  sip::Message message;
  if (!message.parse(packet.bytes) || message.is_request() || !message.cseq()) return;
  const auto method = message.cseq()->method;
  if (method == sip::Method::Invite) return on_invite_response(packet);
  if (message.status() < 200) return;
  if (method == sip::Method::Cancel) {
    seen_.cancel_status = message.status();
    waiting_.erase("CANCEL");
  } else if (method == sip::Method::Bye) {
    const std::string tag(message.to()->tag);
    seen_.answered[tag] = message.status();
    waiting_.erase("BYE" + tag);
  }
}

void Caller::on_invite_response(const Packet& packet) {
  sip::Message message;
  if (!message.parse(packet.bytes) || !message.to()) return;
  const auto status = message.status();
  waiting_.erase("INVITE");
  if (status < 200) {
    seen_.provisionals.push_back(status);
    if (status > 100 && options_.cancel_after != never - Time{} && !seen_.cancel_sent)
      network_.after(options_.cancel_after, [this] { send_cancel(); });
    return;
  }
  seen_.finals.insert(status);
  const std::string to(message.value(*message.find(sip::HeaderName::To)));
  const auto uri = fmt::format("sip:{}@{}", options_.user, options_.proxy.text());
  if (status >= 300) {
    network_.send(options_.address, options_.proxy, request("ACK", uri, "inv", to, {}, 1));
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
  const std::string tag(message.to()->tag);
  network_.send(options_.address, next, request("ACK", target, "ack" + tag, to, routes, 1));
  if (seen_.answered.contains(tag)) return;
  seen_.answered[tag] = 0;
  network_.after(options_.hold, [=, this] {
    retransmit("BYE" + tag, request("BYE", target, "bye" + tag, to, routes, 2), next, t1, t2, network_.now() + 64 * t1);
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
