#include "world.hpp"

#include <fmt/format.h>

namespace load {
namespace {
constexpr milliseconds t1{500}, t2{4000}, timeout{32000};
constexpr std::size_t nobody = SIZE_MAX;
}  // namespace

World::World(Network& network, Options options) : network_(network), options_(std::move(options)), run_(std::to_string(getpid())) {
  for (std::size_t i = 0; i < options_.callers; ++i)
    caller_sockets_.push_back(network_.open(0, [this, i](std::string_view bytes, std::uint16_t) { on_caller(i, bytes); }));
  for (std::size_t i = 0; i < options_.gateway_ports.size(); ++i)
    gateway_sockets_.push_back(
        network_.open(options_.gateway_ports[i], [this, i](std::string_view bytes, std::uint16_t from) { on_gateway(i, bytes, from); }));
  calls_.resize(options_.calls);
}

void World::run() {
  const auto begin = Clock::now();
  std::size_t started = 0;
  Clock::time_point last = begin;
  for (;;) {
    const auto now = Clock::now();
    const auto due = static_cast<std::size_t>(std::chrono::duration<double>(now - begin).count() * options_.rate) + 1;
    while (started < std::min(due, calls_.size())) {
      start_call(started++);
      last = now;
    }
    network_.turn();
    if (started < calls_.size()) continue;
    if (now - last > options_.grace) return;
    if (now - last > std::min(options_.grace, milliseconds(2000)) &&
        std::ranges::all_of(calls_, [&](const Call& call) { return call.ended && judge(call).empty(); }))
      return;
  }
}

// "lNUMBER-RUN@load"
std::size_t World::index_of(std::string_view call_id) {
  std::size_t index = nobody;
  if (call_id.starts_with('l')) std::from_chars(call_id.data() + 1, call_id.data() + call_id.size(), index);
  return index;
}

milliseconds World::ring_time(std::size_t index) const {
  const auto span = (options_.ring_most - options_.ring_least).count() + 1;
  return options_.ring_least + milliseconds(static_cast<long>(index * 2654435761U % static_cast<std::size_t>(span)));
}

void World::note(Call& call, std::size_t gateway, bool sent, std::string_view bytes) {
  const auto at = std::chrono::duration<double, std::milli>(Clock::now() - call.started).count();
  const Text text(bytes);
  const auto who = gateway == nobody ? "caller" : fmt::format("  gateway{}", gateway + 1);
  call.ladder.push_back(fmt::format("{:9.1f} ms  {:10} {} {}{}", at, who, sent ? "->" : "<-", text.first_line(),
                                    text.is_response() ? fmt::format("  ({})", text.cseq_method()) : std::string()));
}

void World::waited(Clock::time_point since) {
  longest_wait_ = std::max(longest_wait_, std::chrono::duration_cast<milliseconds>(Clock::now() - since));
}

std::string World::request(const Call& call, std::string_view method, std::string_view uri, std::string_view branch, std::string_view to,
                           const std::string& routes, int cseq) const {
  const auto port = network_.port(caller_sockets_[call.caller]);
  return fmt::format(
      "{} {} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{}\r\n{}Max-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1:{}>;tag=c{}\r\n"
      "To: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\nContact: <sip:caller@127.0.0.1:{}>\r\nContent-Length: 0\r\n\r\n",
      method, uri, port, branch, routes, port, index_of(call.id), to, call.id, cseq, method, port);
}

std::string World::response(std::string_view request, int status, const std::string& tag, const std::string& extra) {
  const Text text(request);
  std::string out = fmt::format("SIP/2.0 {} {}\r\n", status,
                                status == 180   ? "Ringing"
                                : status == 200 ? "OK"
                                : status == 487 ? "Request Terminated"
                                                : "No");
  for (const auto name : {"Via", "Record-Route", "From", "Call-ID", "CSeq"})
    for (const auto value : text.headers(name)) out += fmt::format("{}: {}\r\n", name, value);
  const auto to = text.header("To");
  out += fmt::format("To: {}{}\r\n", to, Text::parameter(to, "tag").empty() ? ";tag=" + tag : std::string());
  return out + extra + "Content-Length: 0\r\n\r\n";
}

// ---------------------------------------------------------------- callers

void World::start_call(std::size_t index) {
  Call& call = calls_[index];
  int at = static_cast<int>(index * 37 % 100);
  std::size_t kind = 0;
  while (kind < 3 && at >= options_.mix[kind]) at -= options_.mix[kind++];
  call.kind = static_cast<Kind>(kind);
  call.caller = index % caller_sockets_.size();
  call.id = fmt::format("l{}-{}@load", index, run_);
  call.started = Clock::now();
  const auto uri = fmt::format("sip:bob@127.0.0.1:{}", options_.proxy_port);
  send_until(index, "INVITE", request(call, "INVITE", uri, fmt::format("i{}-{}", index, run_), "<" + uri + ">", {}, 1), t1, true,
             milliseconds(0));
}

// RFC 3261 17.1: Timers A, B and E, F.
void World::send_until(std::size_t index, std::string key, std::string text, milliseconds interval, bool invite, milliseconds spent) {
  Call& call = calls_[index];
  const auto name = fmt::format("{} {}", index, key);
  if (spent == milliseconds(0)) {
    waiting_.insert(name);
    sent_at_[name] = Clock::now();
  } else {
    if (!waiting_.contains(name)) return;
    if (spent >= timeout) {
      waiting_.erase(name);
      (key == "INVITE" ? call.timed_out_invite : key == "CANCEL" ? call.timed_out_cancel : call.timed_out_bye) = true;
      call.ended = true;
      return;
    }
    ++retransmissions_;
    call.retransmitted = true;
  }
  note(call, nobody, true, text);
  network_.send(caller_sockets_[call.caller], options_.proxy_port, text);
  const auto next = invite || interval * 2 < t2 ? interval * 2 : t2;
  network_.after(interval, [this, index, key = std::move(key), text = std::move(text), next, invite, spent, interval] {
    send_until(index, key, text, next, invite, spent + interval);
  });
}

void World::on_caller(std::size_t caller, std::string_view bytes) {
  const Text text(bytes);
  const std::size_t index = index_of(text.header("Call-ID"));
  if (!text.is_response() || index >= calls_.size() || calls_[index].caller != caller) return;
  Call& call = calls_[index];
  note(call, nobody, false, bytes);
  const auto answered = [&](const char* key) {
    const auto name = fmt::format("{} {}", index, key);
    if (waiting_.erase(name)) waited(sent_at_[name]);
    sent_at_.erase(name);
  };
  const int status = text.status();
  if (text.cseq_method() == "CANCEL") {
    if (status < 200) return;
    answered("CANCEL");
    call.cancel_status = status;
  } else if (text.cseq_method() == "BYE") {
    if (status < 200) return;
    answered("BYE");
    call.bye_status = status;
    call.ended = true;
  } else if (text.cseq_method() == "INVITE") {
    answered("INVITE");
    int order = 0;
    const auto mark = text.header("X-Order");
    std::from_chars(mark.data(), mark.data() + mark.size(), order);
    // A retransmission repeats an order, a smaller one was overtaken; with failover each leg counts on from the one before.
    if (order && order < call.order_seen && call.final_status == 0) call.failures.push_back("overtaken");
    if (order && status < 200 && call.final_status) call.failures.push_back("overtaken");
    call.order_seen = std::max(call.order_seen, order);
    if (status >= 200) return on_invite_final(index, text);
    if (status > 100 && !call.ringing) {
      call.ringing = true;
      post_dial_delays_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - call.started).count());
      if (call.kind == Kind::Cancelled)
        network_.after(ring_time(index), [this, index] {
          Call& ringing = calls_[index];
          if (ringing.final_status) return;
          ringing.cancel_sent = true;
          const auto uri = fmt::format("sip:bob@127.0.0.1:{}", options_.proxy_port);
          send_until(index, "CANCEL", request(ringing, "CANCEL", uri, fmt::format("i{}-{}", index, run_), "<" + uri + ">", {}, 1), t1,
                     false, milliseconds(0));
        });
    }
  }
}

void World::on_invite_final(std::size_t index, const Text& text) {
  Call& call = calls_[index];
  const int status = text.status();
  const std::string to(text.header("To"));
  const bool first = call.final_status == 0;
  if (first) call.final_status = status;
  if (call.final_status != status) call.failures.push_back("second final response");
  std::string ack;
  if (status >= 300) {
    const auto uri = fmt::format("sip:bob@127.0.0.1:{}", options_.proxy_port);
    ack = request(call, "ACK", uri, fmt::format("i{}-{}", index, run_), to, {}, 1);
    call.ended = true;
  } else {
    auto route_set = text.headers("Record-Route");
    std::ranges::reverse(route_set);
    std::string routes;
    for (const auto route : route_set) routes += fmt::format("Route: {}\r\n", route);
    const std::string target(uri_of(text.header("Contact")));
    ack = request(call, "ACK", target, fmt::format("a{}-{}", index, run_), to, routes, 1);
    if (first)
      network_.after(options_.hold, [this, index, target, to, routes] {
        Call& open = calls_[index];
        open.bye_sent = true;
        send_until(index, "BYE", request(open, "BYE", target, fmt::format("b{}-{}", index, run_), to, routes, 2), t1, false,
                   milliseconds(0));
      });
  }
  note(call, nobody, true, ack);
  network_.send(caller_sockets_[call.caller], options_.proxy_port, ack);
}

// ---------------------------------------------------------------- gateways

std::size_t World::leg_of(const Call& call, std::size_t gateway, std::string_view branch) const {
  for (std::size_t i = 0; i < call.legs.size(); ++i)
    if (call.legs[i].gateway == gateway && call.legs[i].branch == branch) return i;
  return nobody;
}

// The leg whose 2xx made the dialog that the request belongs to: our tag tells.
std::size_t World::leg_of_dialog(const Call& call, std::size_t index, const Text& text) const {
  const auto tag = Text::parameter(text.header("To"), "tag");
  for (std::size_t number = 0; number < call.legs.size(); ++number)
    if (tag == fmt::format("g{}x{}", index, number) && call.legs[number].final_status == 200) return number;
  return nobody;
}

// RFC 3261 9.1, 17.1.1.3: CANCEL and the ACK of a failure carry the top Via, the Request-URI and the CSeq number of their INVITE.
bool World::same_name_as(std::string_view invite_bytes, const Text& text) {
  const Text invite(invite_bytes);
  const auto number = [](const Text& message) { return message.header("CSeq").substr(0, message.header("CSeq").find(' ')); };
  return invite.header("Via") == text.header("Via") && invite.request_uri() == text.request_uri() && number(invite) == number(text);
}

void World::on_gateway(std::size_t gateway, std::string_view bytes, std::uint16_t from) {
  const Text text(bytes);
  const std::size_t index = index_of(text.header("Call-ID"));
  if (text.is_response()) return;
  if (index >= calls_.size() || !text.header("Call-ID").ends_with(run_ + "@load")) {
    // A probe: gateways are alive.
    if (text.method() == "OPTIONS") network_.send(gateway_sockets_[gateway], from, response(bytes, 200, "probe", {}));
    return;
  }
  note(calls_[index], gateway, false, bytes);
  const auto method = text.method();
  if (method == "INVITE") return on_invite(gateway, index, text, bytes, from);
  if (method == "CANCEL") return on_cancel(gateway, index, text, bytes, from);
  if (method == "ACK") return on_ack(gateway, index, text);
  on_bye(gateway, index, text, bytes, from);
}

void World::on_invite(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from) {
  Call& call = calls_[index];
  if (const auto known = leg_of(call, gateway, text.branch()); known != nobody) {
    // RFC 3261 17.2.1: a retransmission gets the last response again.
    if (const auto& last = call.legs[known].last_response; !last.empty()) {
      note(call, gateway, true, last);
      network_.send(gateway_sockets_[gateway], from, last);
    }
    return;
  }
  const std::size_t number = call.legs.size();
  call.legs.push_back({gateway, std::string(text.branch()), std::string(bytes), {}, 0, false, false});
  const std::string invite(bytes);
  if (call.kind == Kind::Busy) {
    network_.after(milliseconds(20), [=, this] { answer(index, number, 486, invite, from); });
    return;
  }
  const bool fails = call.kind == Kind::Failover && number == 0;
  const int final_status = fails ? 503 : 200;
  if (options_.back_to_back && !fails && call.kind != Kind::Cancelled) {
    network_.after(milliseconds(5), [=, this] {
      answer(index, number, 180, invite, from);
      answer(index, number, 200, invite, from);
    });
    return;
  }
  network_.after(milliseconds(20), [=, this] { answer(index, number, 180, invite, from); });
  if (call.kind == Kind::Cancelled) {
    // Nobody picks up for a minute: if the CANCEL gets lost the phone rings on.
    network_.after(milliseconds(60000), [=, this] { answer(index, number, 200, invite, from); });
    return;
  }
  network_.after(milliseconds(20) + ring_time(index), [=, this] { answer(index, number, final_status, invite, from); });
}

void World::answer(std::size_t index, std::size_t number, int status, std::string invite, std::uint16_t to) {
  Call& call = calls_[index];
  Leg& leg = call.legs[number];
  if (leg.final_status) return;
  const auto order = 2 * number + (status < 200 ? 1 : 2);
  const auto text =
      response(invite, status, fmt::format("g{}x{}", index, number),
               fmt::format("Contact: <sip:gateway@127.0.0.1:{}>\r\nX-Order: {}\r\n", network_.port(gateway_sockets_[leg.gateway]), order));
  leg.last_response = text;
  if (status >= 200) {
    leg.final_status = status;
    return answer_until_ack(index, number, text, to, t1, milliseconds(0));
  }
  note(call, leg.gateway, true, text);
  network_.send(gateway_sockets_[leg.gateway], to, text);
}

void World::answer_until_ack(std::size_t index, std::size_t number, std::string text, std::uint16_t to, milliseconds interval,
                             milliseconds spent) {
  Call& call = calls_[index];
  const Leg& leg = call.legs[number];
  if (leg.acknowledged || spent >= timeout) return;
  if (spent > milliseconds(0)) {
    ++retransmissions_;
    call.retransmitted = true;
  }
  note(call, leg.gateway, true, text);
  network_.send(gateway_sockets_[leg.gateway], to, text);
  network_.after(interval, [=, this, text = std::move(text)] {
    answer_until_ack(index, number, text, to, std::min(interval * 2, t2), spent + interval);
  });
}

void World::on_cancel(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from) {
  Call& call = calls_[index];
  const auto ok = response(bytes, 200, "none", {});
  const std::size_t number = leg_of(call, gateway, text.branch());
  if (number == nobody) {
    const bool knows_call = std::ranges::any_of(call.legs, [&](const Leg& leg) { return leg.gateway == gateway; });
    call.failures.push_back(knows_call ? "CANCEL with other name" : "CANCEL without INVITE");
    network_.send(gateway_sockets_[gateway], from, response(bytes, 481, "none", {}));
    return;
  }
  Leg& leg = call.legs[number];
  if (!same_name_as(leg.invite, text)) call.failures.push_back("CANCEL with other name");
  if (!call.cancel_sent) call.failures.push_back("CANCEL nobody asked for");
  note(call, gateway, true, ok);
  network_.send(gateway_sockets_[gateway], from, ok);
  if (leg.cancelled || leg.final_status) return;
  leg.cancelled = true;
  answer(index, number, 487, leg.invite, from);
}

void World::on_bye(std::size_t gateway, std::size_t index, const Text& text, std::string_view bytes, std::uint16_t from) {
  Call& call = calls_[index];
  const std::size_t number = leg_of_dialog(call, index, text);
  const bool ours = number != nobody && call.legs[number].gateway == gateway && text.method() == "BYE";
  const auto answer = response(bytes, ours ? 200 : 481, "none", {});
  note(call, gateway, true, answer);
  network_.send(gateway_sockets_[gateway], from, answer);
}

void World::on_ack(std::size_t gateway, std::size_t index, const Text& text) {
  Call& call = calls_[index];
  std::size_t number = leg_of(call, gateway, text.branch());
  bool right = number != nobody && call.legs[number].final_status >= 300 && same_name_as(call.legs[number].invite, text);
  if (number == nobody) {
    // The ACK of a 2xx has a branch of its own (RFC 3261 13.2.2.4).
    number = leg_of_dialog(call, index, text);
    right = number != nobody && call.legs[number].gateway == gateway;
  }
  if (right)
    call.legs[number].acknowledged = true;
  else
    call.failures.push_back("ACK astray");
}

}  // namespace load
