#include "net/resolver.hpp"

#include <ares.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/assert.hpp"
#include "locate/dns_message.hpp"

namespace perdure::net {
namespace {

using locate::Answer;
using locate::AnswerPointer;
using locate::Question;

constexpr int class_in = 1, udp_answer_bytes = 1232;
constexpr std::size_t alias_steps_max = 8, orders_max = 100'000;
constexpr std::size_t questions_of_search_max = 64;

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

// What only the resolver's own thread touches.
class Resolver::Thread {
 public:
  explicit Thread(Resolver& owner) : owner_(owner) {}
  ~Thread() {
    if (channel_) ares_destroy(channel_);
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  [[nodiscard]] Result<> open() {
    const auto& options = owner_.options_;
    ares_options settings{};
    settings.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS;
    settings.timeout = static_cast<int>(options.timeout / 1ms);
    settings.tries = static_cast<int>(options.tries);
    settings.ednspsz = udp_answer_bytes;
    const int given = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ;
    if (const int status = ares_init_options(&channel_, &settings, given); status != ARES_SUCCESS) {
      channel_ = nullptr;
      return fail(fmt::format("DNS: {}", ares_strerror(status)));
    }
    if (options.servers.empty()) return {};
    const std::string list = fmt::format("{}", fmt::join(options.servers, ","));
    if (const int status = ares_set_servers_ports_csv(channel_, list.c_str()); status != ARES_SUCCESS)
      return fail(fmt::format("DNS: the list of servers: {}", ares_strerror(status)));
    return {};
  }

  void begin(Search search) {
    const std::uint64_t id = ++last_job_;
    Job& job = jobs_[id];
    job.deadline = now() + search.timeout;
    job.search = std::move(search);
    job.answers = std::make_shared<locate::AnswerSet>(std::move(job.search.known));
    deadlines_.emplace(job.deadline, id);
    advance(id);
  }

  void look_up(const Question& question, std::function<void(AnswerPointer)> done) {
    if (auto known = owner_.cache_.find(question, now())) return done(std::move(known));
    ask(question, 0, std::move(done));
  }

  // Until the next answer, time-out or order.
  void wait_and_process() {
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
    polled[count] = {owner_.event_, POLLIN, 0};
    timeval longest{60, 0}, chosen{};
    if (!deadlines_.empty()) {
      const auto left = std::clamp<Duration>(deadlines_.begin()->first - now(), 0us, 60s);
      longest = {left.count() / 1'000'000, left.count() % 1'000'000};
    }
    const timeval* const timeout = ares_timeout(channel_, &longest, &chosen);
    (void)poll(polled.data(), count + 1, static_cast<int>(timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000));
    std::uint64_t ignored = 0;
    if (polled[count].revents) (void)!read(owner_.event_, &ignored, sizeof ignored);
    for (nfds_t i = 0; i < count; ++i) {
      const short events = polled[i].revents;
      if (events)
        ares_process_fd(channel_, events & (POLLIN | POLLERR | POLLHUP) ? polled[i].fd : ARES_SOCKET_BAD,
                        events & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what has timed out
    expire(now());
  }

  // All searches end with what is known.
  void finish_all() {
    expire(never);
    ares_cancel(channel_);
  }

  [[nodiscard]] std::size_t open_queries() const { return in_flight_.size(); }
  [[nodiscard]] std::size_t open_searches() const { return jobs_.size(); }

 private:
  using Use = std::function<void(AnswerPointer)>;
  struct Job {
    Search search;
    std::shared_ptr<locate::AnswerSet> answers;
    Time deadline;
    std::size_t waiting = 0, asked = 0;  // questions
    bool advancing = false;
  };
  struct Query {
    Thread* thread;
    Question question;
  };
  struct InFlight {
    std::size_t step = 0;               // of a chain of aliases
    std::optional<Question> waits_for;  // the next of the chain
    std::vector<Use> uses;
  };
  // What the search has got before, else the cache; what that says stays the same for the search.
  class View final : public locate::Answers {
   public:
    View(locate::AnswerSet& own, locate::Cache& cache) : own_(own), cache_(cache) {}
    AnswerPointer find(const Question& question) override {
      if (auto known = own_.find(question)) return known;
      auto known = cache_.find(question, now());
      if (known) own_.put(question, known);
      return known;
    }

   private:
    locate::AnswerSet& own_;
    locate::Cache& cache_;
  };

  void count(std::uint64_t Counters::*counter, std::uint64_t by = 1) {
    const std::scoped_lock lock(owner_.mutex_);
    owner_.counters_.*counter += by;
  }

  void advance(std::uint64_t id) {
    Job& job = jobs_.at(id);
    if (job.waiting || job.advancing) return;  // all answers of a round come before the next; some are there at once
    job.advancing = true;
    for (bool more = true; more;) {
      more = false;
      View view(*job.answers, owner_.cache_);
      std::vector<Question> missing;
      for (const auto& destination : job.search.destinations)
        for (auto& question : locate::locate(destination, job.search.reach, job.search.policy, view, id).missing)
          if (std::ranges::find(missing, question) == missing.end()) missing.push_back(std::move(question));
      for (const auto& question : missing) {
        if (++job.asked > questions_of_search_max) {
          job.answers->complete();
          break;
        }
        ++job.waiting;
        more = true;
        ask(question, 0, [this, id, question](AnswerPointer answer) {
          const auto found = jobs_.find(id);
          if (found == jobs_.end()) return;
          found->second.answers->put(question, std::move(answer));
          --found->second.waiting;
          advance(id);
        });
      }
      if (missing.empty() || job.asked > questions_of_search_max) return end(id);
      more = more && job.waiting == 0;
    }
    job.advancing = false;
  }

  void end(std::uint64_t id) {
    const auto found = jobs_.find(id);
    Job job = std::move(found->second);
    jobs_.erase(found);
    deadlines_.erase({job.deadline, id});
    {
      const std::scoped_lock lock(owner_.mutex_);
      if (job.search.asker < owner_.searches_of_asker_.size()) --owner_.searches_of_asker_[job.search.asker];
    }
    job.search.done(std::move(job.answers));
  }

  void expire(Time until) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= until) {
      const std::uint64_t id = deadlines_.begin()->second;
      count(&Counters::searches_late);
      jobs_.at(id).answers->complete();
      end(id);
    }
  }

  void ask(const Question& question, std::size_t step, Use use) {
    if (const auto found = in_flight_.find(question); found != in_flight_.end()) {
      count(&Counters::merged);
      found->second.uses.push_back(std::move(use));
      return;
    }
    const std::string domain = domain_of(question.name);
    const bool full = in_flight_.size() >= owner_.options_.queries_max;
    if (full || of_domain_[domain] >= owner_.options_.queries_of_domain_max) {
      count(full ? &Counters::refused : &Counters::refused_domain);
      if (of_domain_[domain] == 0) of_domain_.erase(domain);
      return use(std::make_shared<const Answer>());  // not kept: the next call may have more luck
    }
    ++of_domain_[domain];
    count(&Counters::queries);
    auto& query = in_flight_[question];
    query.step = step;
    query.uses.push_back(std::move(use));
    ares_query(channel_, question.name.c_str(), class_in, static_cast<int>(question.type), &Thread::on_answer, new Query{this, question});
  }

  static void on_answer(void* argument, int status, int timeouts, unsigned char* bytes, int size) {
    (void)timeouts;
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    query->thread->on_answer(query->question, status, {bytes, static_cast<std::size_t>(bytes ? size : 0)});
  }

  void on_answer(const Question& question, int status, std::span<const std::uint8_t> bytes) {
    Answer answer;
    bool malformed = false;
    if (status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND) {
      auto read = locate::read_answer(bytes, question);
      malformed = !read;
      if (read) answer = std::move(*read);
    }
    {
      const std::scoped_lock lock(owner_.mutex_);
      auto& counters = owner_.counters_;
      ++counters.answers;
      counters.late += status == ARES_ETIMEOUT;
      counters.malformed += malformed;
      counters.left_out += answer.left_out;
      counters.negative += answer.kind == Answer::Kind::None;
      counters.failures += answer.kind == Answer::Kind::Failed;
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
      if (auto known = owner_.cache_.find(next, now())) return use(known);
      if (leads_to(next, question)) return finish(question, Answer{});
      found->second.waits_for = next;
      return ask(next, step + 1, use);
    }
    finish(question, std::move(answer));
  }

  // A chain of aliases that leads back to itself: nobody must wait for what waits for him.
  [[nodiscard]] bool leads_to(Question from, const Question& to) const {
    while (true) {
      if (from == to) return true;
      const auto next = in_flight_.find(from);
      if (next == in_flight_.end() || !next->second.waits_for) return false;
      from = *next->second.waits_for;
    }
  }

  void finish(const Question& question, Answer answer) {
    const auto found = in_flight_.find(question);
    PERDURE_ASSERT(found != in_flight_.end());
    const auto uses = std::move(found->second.uses);
    in_flight_.erase(found);
    const auto domain = of_domain_.find(domain_of(question.name));
    if (--domain->second == 0) of_domain_.erase(domain);
    const AnswerPointer known = owner_.cache_.put(question, std::move(answer), now());
    for (const auto& use : uses) use(known);
  }

  Resolver& owner_;
  ares_channel channel_ = nullptr;
  std::unordered_map<std::uint64_t, Job> jobs_;
  std::set<std::pair<Time, std::uint64_t>> deadlines_;
  std::uint64_t last_job_ = 0;
  std::unordered_map<Question, InFlight, locate::QuestionHash> in_flight_;
  std::unordered_map<std::string, std::uint32_t> of_domain_;
};

Resolver::Resolver(ResolverOptions options) : options_(std::move(options)), cache_(options_.cache) {
  if (!options_.hosts_file.empty()) read_hosts_file(options_.hosts_file, cache_);
}

Result<std::unique_ptr<Resolver>> Resolver::create(ResolverOptions options) {
  if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
    return fail(fmt::format("DNS: {}", ares_strerror(status)));
  std::unique_ptr<Resolver> made(new Resolver(std::move(options)));
  made->event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (made->event_ < 0) return fail("DNS: no eventfd");
  made->state_ = std::make_unique<Thread>(*made);
  if (auto opened = made->state_->open(); !opened) return std::unexpected(opened.error());
  made->thread_ = std::thread([resolver = made.get()] { resolver->serve(*resolver->state_); });
  return made;
}

Resolver::~Resolver() {
  if (thread_.joinable()) {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    post([](Thread&) {});
    thread_.join();
  }
  state_.reset();
  if (event_ >= 0) close(event_);
  ares_library_cleanup();
}

void Resolver::serve(Thread& thread) {
  (void)pthread_setname_np(pthread_self(), "resolver");
  while (true) {
    std::deque<std::function<void(Thread&)>> orders;
    bool stopping = false;
    {
      const std::scoped_lock lock(mutex_);
      orders.swap(orders_);
      stopping = stopping_;
    }
    for (const auto& order : orders) order(thread);
    {
      const std::scoped_lock lock(mutex_);
      counters_.open_queries = thread.open_queries();
      counters_.open_searches = thread.open_searches();
    }
    if (stopping) return thread.finish_all();
    thread.wait_and_process();
  }
}

void Resolver::post(std::function<void(Thread&)> order) {
  {
    const std::scoped_lock lock(mutex_);
    orders_.push_back(std::move(order));
  }
  const std::uint64_t one = 1;
  (void)!write(event_, &one, sizeof one);
}

AnswerPointer Resolver::find(const Question& question) {
  return cache_.find(question, now());
}

bool Resolver::search(Search search) {
  {
    const std::scoped_lock lock(mutex_);
    if (search.asker >= searches_of_asker_.size()) searches_of_asker_.resize(search.asker + 1);
    if (stopping_ || searches_of_asker_[search.asker] >= options_.searches_of_asker_max) {
      ++counters_.searches_refused;
      return false;
    }
    ++searches_of_asker_[search.asker];
    ++counters_.searches;
  }
  post([search = std::move(search)](Thread& thread) mutable { thread.begin(std::move(search)); });
  return true;
}

void Resolver::look_up(Question question, std::function<void(AnswerPointer)> done) {
  bool refused = false;
  {
    const std::scoped_lock lock(mutex_);
    refused = stopping_ || orders_.size() >= orders_max;
  }
  if (refused) return done(nullptr);
  post([question = std::move(question), done = std::move(done)](Thread& thread) { thread.look_up(question, done); });
}

std::vector<locate::Cache::View> Resolver::list(std::size_t limit) const {
  return cache_.list(now(), limit);
}

Resolver::Counters Resolver::counters() const {
  Counters counters;
  {
    const std::scoped_lock lock(mutex_);
    counters = counters_;
  }
  counters.cache = cache_.counters();
  return counters;
}

}  // namespace perdure::net
