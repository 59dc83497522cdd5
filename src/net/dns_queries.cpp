#include "net/dns_queries.hpp"

#include <ares.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "locate/dns_message.hpp"

namespace perdure::net {
namespace {

using locate::Answer;
using locate::AnswerPointer;
using locate::Question;

constexpr int class_in = 1, udp_answer_bytes = 1232;
constexpr std::size_t alias_steps_max = 8;

Time now() {
  return Time(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// The last two labels: whoever owns them can have us ask for as many names as he likes.
std::string domain_of(const std::string& name) {
  const std::size_t last = name.rfind('.');
  const std::size_t before = last == std::string::npos || last == 0 ? std::string::npos : name.rfind('.', last - 1);
  return before == std::string::npos ? name : name.substr(before + 1);
}

}  // namespace

DnsQueries::~DnsQueries() {
  if (channel_) ares_destroy(channel_);
}

Result<> DnsQueries::open() {
  ares_options settings{};
  settings.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS;
  settings.timeout = static_cast<int>(options_.timeout / 1ms);
  settings.tries = static_cast<int>(options_.tries);
  settings.ednspsz = udp_answer_bytes;
  const int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ;
  if (const int status = ares_init_options(&channel_, &settings, given); status != ARES_SUCCESS) {
    channel_ = nullptr;
    return fail(fmt::format("DNS: {}", ares_strerror(status)));
  }
  if (options_.servers.empty()) return {};
  const std::string list = fmt::format("{}", fmt::join(options_.servers, ","));
  if (const int status = ares_set_servers_ports_csv(channel_, list.c_str()); status != ARES_SUCCESS)
    return fail(fmt::format("DNS: the list of servers: {}", ares_strerror(status)));
  return {};
}

void DnsQueries::wait_and_process(int event, Duration longest) {
  std::array<pollfd, ARES_GETSOCK_MAXNUM + 1> polled{};
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const int bits = ares_getsock(channel_, sockets.data(), ARES_GETSOCK_MAXNUM);
  nfds_t count = 0;
  for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    short events = 0;
    if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
    if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
    if (events) polled[count++] = {sockets[i], events, 0};
  }
  polled[count] = {event, POLLIN, 0};
  timeval most{longest.count() / 1'000'000, longest.count() % 1'000'000}, chosen{};
  const timeval* const timeout = ares_timeout(channel_, &most, &chosen);
  (void)poll(polled.data(), count + 1, static_cast<int>(timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000));
  std::uint64_t ignored = 0;
  if (polled[count].revents) (void)!read(event, &ignored, sizeof ignored);
  for (nfds_t i = 0; i < count; ++i) {
    const short events = polled[i].revents;
    if (events)
      ares_process_fd(channel_, events & (POLLIN | POLLERR | POLLHUP) ? polled[i].fd : ARES_SOCKET_BAD,
                      events & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
  }
  ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
}

void DnsQueries::cancel() {
  ares_cancel(channel_);
}

void DnsQueries::count(std::uint64_t Resolver::Counters::*counter) {
  const std::scoped_lock lock(mutex_);
  ++(counters_.*counter);
}

void DnsQueries::ask(const Question& question, std::size_t step, Use use) {
  if (const auto found = in_flight_.find(question); found != in_flight_.end()) {
    count(&Resolver::Counters::merged);
    found->second.uses.push_back(std::move(use));
    return;
  }
  const std::string domain = domain_of(question.name);
  const bool full = in_flight_.size() >= options_.queries_max;
  if (full || of_domain_[domain] >= options_.queries_of_domain_max) {
    count(full ? &Resolver::Counters::refused : &Resolver::Counters::refused_domain);
    if (of_domain_[domain] == 0) of_domain_.erase(domain);
    return use(std::make_shared<const Answer>());  // not kept: the next call may have more luck
  }
  ++of_domain_[domain];
  count(&Resolver::Counters::queries);
  auto& query = in_flight_[question];
  query.step = step;
  query.uses.push_back(std::move(use));
  ares_query(channel_, question.name.c_str(), class_in, static_cast<int>(question.type), &DnsQueries::on_answer, new Query{this, question});
}

void DnsQueries::on_answer(void* argument, int status, int timeouts, unsigned char* bytes, int size) {
  (void)timeouts;
  const std::unique_ptr<Query> query(static_cast<Query*>(argument));
  query->queries->on_answer(query->question, status, {bytes, static_cast<std::size_t>(bytes ? size : 0)});
}

void DnsQueries::on_answer(const Question& question, int status, std::span<const std::uint8_t> bytes) {
  Answer answer;
  bool malformed = false;
  if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND) {
    auto read = locate::read_answer(bytes, question);
    malformed = !read;
    if (read) answer = std::move(*read);
  }
  {
    const std::scoped_lock lock(mutex_);
    ++counters_.answers;
    counters_.late += status == ARES_ETIMEOUT;
    counters_.malformed += malformed;
    counters_.left_out += answer.left_out;
    counters_.negative += answer.kind == Answer::Kind::None;
    counters_.failures += answer.kind == Answer::Kind::Failed;
  }
  const auto found = in_flight_.find(question);
  PERDURE_ASSERT(found != in_flight_.end());
  const std::size_t step = found->second.step;
  if (!answer.alias.empty() && step < alias_steps_max && answer.alias != question.name && status != ARES_EDESTRUCTION) {
    const Duration ttl = answer.ttl;
    const Question next{question.type, answer.alias};
    const auto use = [this, question, ttl](const AnswerPointer& of_alias) {
      Answer own = *of_alias;
      if (own.kind == Answer::Kind::Records || own.ttl < 0s) own.ttl = own.ttl < 0s ? ttl : std::min(own.ttl, ttl);
      finish(question, std::move(own));
    };
    if (auto known = cache_.find(next, now())) return use(known);
    if (leads_to(next, question)) return finish(question, Answer{});
    found->second.waits_for = next;
    return ask(next, step + 1, use);
  }
  finish(question, std::move(answer));
}

// A chain of aliases that leads back to itself: nobody must wait for what waits for him.
bool DnsQueries::leads_to(Question from, const Question& to) const {
  while (true) {
    if (from == to) return true;
    const auto next = in_flight_.find(from);
    if (next == in_flight_.end() || !next->second.waits_for) return false;
    from = *next->second.waits_for;
  }
}

void DnsQueries::finish(const Question& question, Answer answer) {
  const auto found = in_flight_.find(question);
  PERDURE_ASSERT(found != in_flight_.end());
  const auto uses = std::move(found->second.uses);
  in_flight_.erase(found);
  const auto domain = of_domain_.find(domain_of(question.name));
  if (--domain->second == 0) of_domain_.erase(domain);
  const AnswerPointer known = cache_.put(question, std::move(answer), now());
  for (const auto& use : uses) use(known);
}

}  // namespace perdure::net
