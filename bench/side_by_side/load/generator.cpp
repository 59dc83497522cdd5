#include "generator.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <ctime>
#include <random>
#include <utility>

#include "datagrams.hpp"

namespace perdure::bench {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;
constexpr std::uint64_t t1_ns = ns_per_s / 2;
constexpr unsigned doublings = 6;

std::uint64_t from_ms(double ms) {
  return static_cast<std::uint64_t>(ms * 1e6);
}

// Slots for all calls that can be open at once; calls that hang are overtaken by later ones in the same slot and have failed then.
std::uint32_t slots_for(const GeneratorOptions& options) {
  const double open = options.rate * ((options.ring_ms + options.hold_ms) / 1000 + 2);
  const auto wanted = std::max<std::uint32_t>(options.open + 1, static_cast<std::uint32_t>(open));
  return std::bit_ceil(std::max(wanted, 1U << 14));
}

}  // namespace

Generator::Line::Line(Transport transport, std::unique_ptr<Channel> caller_end, std::unique_ptr<Channel> callee_end, std::string_view run)
    : caller(std::move(caller_end)), callee(std::move(callee_end)), messages(transport, caller->port(), callee->port(), run) {}

Generator::Generator(const GeneratorOptions& options)
    : options_(options),
      // "x": no digit of a number of a call, so that a number ends here.
      run_(fmt::format("x{:07x}", std::random_device{}() & 0xFFFFFFFU)),
      mask_(slots_for(options) - 1) {
  open_lines();
  calls_ = std::make_unique_for_overwrite<Call[]>(mask_ + 1);
  for (unsigned i = 0; i < doublings; ++i) lanes_.emplace_back(t1_ns << i);
  lanes_.emplace_back(from_ms(options.ring_ms));
  lanes_.emplace_back(from_ms(options.hold_ms));
  interval_ns_ = 1e9 / options.rate;
  warmup_calls_ = static_cast<std::uint64_t>(options.rate * options.warmup_s);
  total_ = options.open != 0 ? options.open : warmup_calls_ + static_cast<std::uint64_t>(std::llround(options.rate * options.seconds));
  if (options.open != 0) warmup_calls_ = 0;
}

Generator::~Generator() {
  if (epoll_ >= 0) ::close(epoll_);
}

void Generator::open_lines() {
  if (options_.transport == Transport::Udp) {
    for (unsigned i = 0; i < options_.lines; ++i) {
      const auto port = static_cast<std::uint16_t>(options_.first_port + i),
                 callee_port = static_cast<std::uint16_t>(port + options_.lines);
      lines_.push_back(std::make_unique<Line>(options_.transport, std::make_unique<Datagrams>(port, options_.proxy_port),
                                              std::make_unique<Datagrams>(callee_port, options_.proxy_port), run_));
    }
    return;
  }
  if (options_.transport == Transport::Tls) tls_ = std::make_unique<TlsClient>();
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  for (unsigned i = 0; i < options_.lines; ++i) {
    auto caller = std::make_unique<Connection>(options_.proxy_port, tls_.get()),
         callee = std::make_unique<Connection>(options_.proxy_port, tls_.get());
    report_.security = caller->security();
    watch(*caller, i, false);
    watch(*callee, i, true);
    lines_.push_back(std::make_unique<Line>(options_.transport, std::move(caller), std::move(callee), run_));
  }
}

void Generator::watch(Connection& connection, std::size_t line, bool of_callee) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 2 * line + (of_callee ? 1 : 0);
  (void)::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor(), &event);
}

Call* Generator::find(std::uint32_t number) {
  Call& call = calls_[number & mask_];
  return call.number == number && number != 0 ? &call : nullptr;
}

void Generator::begin_call(std::uint64_t due) {
  const auto number = static_cast<std::uint32_t>(++begun_);
  Call& call = calls_[number & mask_];
  if (call.number != 0 && call.caller != Caller::Done) finish(call, false);
  call.number = number;
  call.caller = Caller::Calling;
  call.callee = Callee::Unreached;
  call.cancelled = number % 100 < options_.cancel_percent;
  call.measured = number > warmup_calls_;
  call.retransmitted = call.first_seen = false;
  call.due = due;
  call.invite_sent = call.ringing_sent = call.ok_sent = call.bye_sent = 0;
  call.route_bytes = call.header_bytes = 0;
  ++active_;
  if (call.measured) ++report_.attempted;
  send_request(call, line_of(call).messages.invite, &call.invite_sent);
  lanes_[0].start(due, number, TimerKind::Invite, 0);
}

void Generator::begin_calls(std::uint64_t now) {
  // At most a batch at a time, so that what comes in meanwhile is not left waiting.
  for (unsigned i = 0; i < batch_size && begun_ < total_; ++i) {
    const auto due = begin_ + static_cast<std::uint64_t>(interval_ns_ * static_cast<double>(begun_));
    if (due > now) return;
    if (begun_ >= warmup_calls_) report_.late_max_ns = std::max(report_.late_max_ns, now - due);
    begin_call(due);
  }
}

void Generator::finish(Call& call, bool good) {
  call.caller = Caller::Done;
  --active_;
  if (call.measured) ++(good ? report_.good : report_.failed);
}

void Generator::queue(Channel& channel, std::size_t size, std::uint64_t* sent) {
  channel.queue(size, sent);
  if (!std::exchange(channel.unflushed, true)) unflushed_.push_back(&channel);
}

// What the kernel does not take now is tried again in the next turn.
void Generator::flush() {
  std::erase_if(unflushed_, [](Channel* channel) {
    const bool done = channel->flush();
    channel->unflushed = !done;
    return done;
  });
}

bool Generator::receive_from_caller(Line& line) {
  const auto texts = line.caller->receive();
  if (texts.empty()) return false;
  const std::uint64_t now = now_ns();
  if (watching_) report_.gap_max_ns = std::max(report_.gap_max_ns, now - last_response_);
  last_response_ = now;
  for (const auto text : texts) on_response(text, now);
  flush();
  return true;
}

bool Generator::receive_from_callee(Line& line) {
  const auto texts = line.callee->receive();
  if (texts.empty()) return false;
  const std::uint64_t now = now_ns();
  for (const auto text : texts) on_request(line, text, now);
  flush();
  return true;
}

bool Generator::receive_datagrams() {
  bool something = false;
  for (auto& line : lines_) {
    something = receive_from_caller(*line) || something;
    something = receive_from_callee(*line) || something;
  }
  return something;
}

bool Generator::receive_from_connections() {
  std::array<epoll_event, 256> events;
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const auto which = events[static_cast<std::size_t>(i)].data.u64;
    Line& line = *lines_[which / 2];
    auto& connection = static_cast<Connection&>(which % 2 == 0 ? *line.caller : *line.callee);
    do {
      (void)(which % 2 == 0 ? receive_from_caller(line) : receive_from_callee(line));
    } while (connection.has_more());
    if (!connection.is_closed()) continue;
    ++report_.connections_closed;
    (void)::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.descriptor(), nullptr);
  }
  return count > 0;
}

bool Generator::turn(std::uint64_t now) {
  const auto before = begun_;
  begin_calls(now);
  flush();
  const bool received = options_.transport == Transport::Udp ? receive_datagrams() : receive_from_connections();
  on_timers(received ? now_ns() : now);
  flush();
  return received || begun_ != before;
}

void Generator::rest(bool something) const {
  if (something || options_.idle_sleep_us <= 0) return;
  const timespec time{0, static_cast<long>(options_.idle_sleep_us * 1000)};
  ::nanosleep(&time, nullptr);
}

void Generator::run(const std::function<void(bool)>& measuring) {
  begin_ = now_ns();
  std::uint64_t now = begin_, busy = 0, measured_from = 0;
  while (begun_ < total_) {
    if (!watching_ && begun_ >= warmup_calls_) {
      measuring(true);
      watching_ = true;
      measured_from = last_response_ = now;
    }
    const bool something = turn(now);
    const std::uint64_t after = now_ns();
    if (something && watching_) busy += after - now;
    rest(something);
    now = now_ns();
  }
  if (watching_) report_.gap_max_ns = std::max(report_.gap_max_ns, now - last_response_);
  watching_ = false;
  report_.busy_share = static_cast<double>(busy) / static_cast<double>(std::max<std::uint64_t>(now - measured_from, 1));
  measuring(false);
  const std::uint64_t deadline = now + static_cast<std::uint64_t>(options_.grace_s * 1e9);
  while ((options_.open != 0 ? ringing_ < total_ : active_ > 0) && now < deadline) {
    rest(turn(now));
    now = now_ns();
  }
  hold(50'000'000);  // the last ACK is on its way
}

void Generator::hold(std::uint64_t nanoseconds) {
  const std::uint64_t deadline = now_ns() + nanoseconds;
  for (std::uint64_t now = now_ns(); now < deadline; now = now_ns()) rest(turn(now));
}

const GeneratorReport& Generator::report() {
  report_.begun = begun_;
  report_.invite_bytes = lines_.front()->messages.invite.size();
  report_.sent = report_.received = 0;
  for (const auto& line : lines_) {
    report_.sent += line->caller->sent() + line->callee->sent();
    report_.received += line->caller->received() + line->callee->received();
  }
  if (options_.open != 0) report_.good = ringing_;
  report_.failed = report_.attempted - report_.good;
  return report_;
}

}  // namespace perdure::bench
