// What the ends of a call do with a message or a timer.
#include <algorithm>

#include "generator.hpp"

namespace perdure::bench {
namespace {

constexpr std::size_t lane_ring = 6, lane_hold = 7;
// RFC 3261 17.1.1.2: Timer A doubles until 32 s; 17.1.2.2 and 13.3.1.4: the others double up to T2, 4 s.
// Over a connection the other timers of transactions are not started, and that of the INVITE only counts; a 2xx to an INVITE is repeated
// all the same.
constexpr std::uint8_t lane_t2 = 3, invite_rounds = 6, other_rounds = 10;

void count_status(GeneratorReport& report, int status) {
  for (auto& [code, count] : report.refused)
    if (code == status) return void(++count);
  report.refused.emplace_back(status, 1);
}

}  // namespace

void Generator::send_request(const Call& call, const Pattern& pattern, std::uint64_t* sent) {
  Channel& channel = *line_of(call).caller;
  char* const begin = channel.room();
  queue(channel, static_cast<std::size_t>(pattern.write(begin, call.number) - begin), sent);
}

void Generator::send_in_dialog(const Call& call, const Pattern& head, const Pattern& tail, std::uint64_t* sent) {
  Channel& channel = *line_of(call).caller;
  char* const begin = channel.room();
  char* end = append(head.write(begin, call.number), {call.route.data(), call.route_bytes});
  end = tail.write(end, call.number);
  queue(channel, static_cast<std::size_t>(end - begin), sent);
}

void Generator::send_answer(const Call& call, std::string_view status, const Pattern& tail, std::uint64_t* sent) {
  Channel& channel = *line_of(call).callee;
  char* const begin = channel.room();
  char* const end = tail.write(append(append(begin, status), {call.headers.data(), call.header_bytes}), call.number);
  queue(channel, static_cast<std::size_t>(end - begin), sent);
}

void Generator::respond(Line& line, std::string_view request, std::uint32_t call, std::string_view status) {
  char* const begin = line.callee->room();
  char* out = append(begin, status);
  out += copy_headers(request, call, out, message_bytes_max - 200);
  queue(*line.callee, static_cast<std::size_t>(append(out, "Content-Length: 0\r\n\r\n") - begin));
}

void Generator::on_response(std::string_view text, std::uint64_t now) {
  const auto key = response_key(text, run_);
  Call* const call = key ? find(key->call) : nullptr;
  if (call == nullptr) return void(++report_.unexpected);
  if (key->method == 'i' && call->caller == Caller::Cancelling && answers_cancel(text)) return;
  if (!call->first_seen) {
    call->first_seen = true;
    if (call->measured) report_.first_response.add(now - call->invite_sent);
  }
  if (key->method == 'i') return on_invite_response(*call, key->status, text, now);
  if (key->status < 200 || call->caller != Caller::Ending) return;
  if (key->status >= 300) count_status(report_, key->status);
  finish(*call, key->status < 300);
}

void Generator::on_invite_response(Call& call, int status, std::string_view text, std::uint64_t now) {
  if (status < 200) {
    if (call.caller == Caller::Calling) call.caller = Caller::Proceeding;
    if (status == 100 || call.caller != Caller::Proceeding || call.ringing_sent == 0) return;
    if (call.measured) {
      report_.ringing.add(now - call.ringing_sent);
      report_.post_dial_delay.add(now - call.due);
    }
    if (options_.open != 0) {
      ++ringing_;
      call.ringing_sent = 0;  // later ones are retransmissions
    } else if (call.cancelled) {
      call.caller = Caller::Cancelling;
      send_request(call, line_of(call).messages.cancel);
      if (!reliable()) lanes_[0].start(now, call.number, TimerKind::Cancel, 0);
    }
    return;
  }
  if (status < 300) return on_answered(call, text, now);
  // Each final response that is not a 2xx is acknowledged hop by hop, a repeated one, too.
  send_request(call, line_of(call).messages.reject_ack);
  if (call.caller == Caller::Done) return;
  const bool good = status == 487 && call.caller == Caller::Cancelling;
  if (!good) count_status(report_, status);
  finish(call, good);
}

void Generator::on_answered(Call& call, std::string_view text, std::uint64_t now) {
  const Messages& messages = line_of(call).messages;
  if (call.caller != Caller::Calling && call.caller != Caller::Proceeding) {
    // The callee has not got the ACK.
    send_in_dialog(call, messages.ack_head, messages.ack_tail);
    return;
  }
  if (call.measured) report_.ok.add(now - call.ok_sent);
  call.route_bytes = static_cast<std::uint16_t>(copy_route(text, call.route.data(), call.route.size()));
  call.caller = Caller::Confirmed;
  send_in_dialog(call, messages.ack_head, messages.ack_tail);
  if (options_.hold_ms > 0)
    lanes_[lane_hold].start(now, call.number, TimerKind::HangUp, 0);
  else
    send_bye(call, now);
}

void Generator::send_bye(Call& call, std::uint64_t now) {
  const Messages& messages = line_of(call).messages;
  call.caller = Caller::Ending;
  send_in_dialog(call, messages.bye_head, messages.bye_tail, &call.bye_sent);
  if (!reliable()) lanes_[0].start(now, call.number, TimerKind::Bye, 0);
}

void Generator::on_request(Line& line, std::string_view text, std::uint64_t now) {
  const auto key = request_key(text, run_);
  Call* const call = key ? find(key->call) : nullptr;
  if (call == nullptr || &line != &line_of(*call)) return void(++report_.unexpected);
  switch (key->method) {
    case 'I':
      return on_invite(*call, text, now);
    case 'A':
      if (call->callee == Callee::Answered || call->callee == Callee::Rejected) {
        if (call->measured) ++report_.acknowledged;
        call->callee = call->callee == Callee::Answered ? Callee::Confirmed : Callee::Ended;
      }
      return;
    case 'B':
      if (call->measured && call->callee != Callee::Ended) report_.bye.add(now - call->bye_sent);
      call->callee = Callee::Ended;
      return respond(line, text, call->number, "SIP/2.0 200 OK\r\n");
    case 'C':
      respond(line, text, call->number, "SIP/2.0 200 OK\r\n");
      if (call->callee != Callee::Ringing) return;
      call->callee = Callee::Rejected;
      send_answer(*call, "SIP/2.0 487 Request Terminated\r\n", line.messages.ringing_tail);
      if (!reliable()) lanes_[0].start(now, call->number, TimerKind::Reject, 0);
      return;
    default:
      ++report_.unexpected;
  }
}

void Generator::on_invite(Call& call, std::string_view text, std::uint64_t now) {
  constexpr std::string_view ringing = "SIP/2.0 180 Ringing\r\n", ok = "SIP/2.0 200 OK\r\n";
  const Messages& messages = line_of(call).messages;
  if (call.callee == Callee::Ringing) return send_answer(call, ringing, messages.ringing_tail);
  if (call.callee == Callee::Answered) return send_answer(call, ok, messages.ok_tail);
  if (call.callee != Callee::Unreached) return;
  if (call.measured) {
    ++report_.reached;
    report_.invite.add(now - call.invite_sent);
  }
  call.header_bytes = static_cast<std::uint16_t>(copy_headers(text, call.number, call.headers.data(), call.headers.size()));
  call.callee = Callee::Ringing;
  send_answer(call, ringing, messages.ringing_tail, &call.ringing_sent);
  if (call.cancelled || options_.open != 0) return;
  if (options_.ring_ms > 0)
    lanes_[lane_ring].start(now, call.number, TimerKind::Answer, 0);
  else
    answer(call, now);
}

void Generator::answer(Call& call, std::uint64_t now) {
  call.callee = Callee::Answered;
  send_answer(call, "SIP/2.0 200 OK\r\n", line_of(call).messages.ok_tail, &call.ok_sent);
  lanes_[0].start(now, call.number, TimerKind::Ok, 0);
}

void Generator::on_timers(std::uint64_t now) {
  for (auto& lane : lanes_)
    while (const Timer* due = lane.due(now)) {
      const Timer timer = *due;
      lane.pop();
      on_timer(timer, now);
    }
}

void Generator::on_timer(const Timer& timer, std::uint64_t now) {
  Call* const call = find(timer.call);
  if (call == nullptr) return;
  const Messages& messages = line_of(*call).messages;
  switch (timer.kind) {
    case TimerKind::Answer:
      if (call->callee == Callee::Ringing) answer(*call, now);
      return;
    case TimerKind::HangUp:
      if (call->caller == Caller::Confirmed) send_bye(*call, now);
      return;
    case TimerKind::Invite:
      if (call->caller != Caller::Calling) return;
      if (reliable()) return count_retransmission(*call, timer.kind);
      send_request(*call, messages.invite);
      break;
    case TimerKind::Cancel:
      if (call->caller != Caller::Cancelling) return;
      send_request(*call, messages.cancel);
      break;
    case TimerKind::Bye:
      if (call->caller != Caller::Ending) return;
      send_in_dialog(*call, messages.bye_head, messages.bye_tail);
      break;
    case TimerKind::Ok:
      if (call->callee != Callee::Answered) return;
      send_answer(*call, "SIP/2.0 200 OK\r\n", messages.ok_tail);
      break;
    case TimerKind::Reject:
      if (call->callee != Callee::Rejected) return;
      send_answer(*call, "SIP/2.0 487 Request Terminated\r\n", messages.ringing_tail);
      break;
  }
  count_retransmission(*call, timer.kind);
  retransmit_later(timer, now);
}

void Generator::count_retransmission(Call& call, TimerKind kind) {
  if (!call.measured) return;
  if (kind != TimerKind::Invite) return void(++report_.other_retransmissions);
  ++report_.invite_retransmissions;
  if (!call.retransmitted) ++report_.calls_retransmitted;
  call.retransmitted = true;
}

void Generator::retransmit_later(const Timer& timer, std::uint64_t now) {
  const bool invite = timer.kind == TimerKind::Invite;
  const auto round = static_cast<std::uint8_t>(timer.round + 1);
  if (round >= (invite ? invite_rounds : other_rounds)) return;
  lanes_[invite ? round : std::min(round, lane_t2)].start(now, timer.call, timer.kind, round);
}

}  // namespace perdure::bench
