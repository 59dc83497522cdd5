#include "net/resolver.hpp"

#include <ares.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <unordered_map>
#include <utility>

#include "net/dns_queries.hpp"

namespace perdure::net {
namespace {

using locate::AnswerPointer;
using locate::Question;

constexpr std::size_t orders_max = 100'000;
constexpr std::size_t questions_of_search_max = 64;

Time now() {
  return Time(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace

// What only the resolver's own thread touches.
class Resolver::Thread {
 public:
  explicit Thread(Resolver& owner) : owner_(owner), queries_(owner.options_, owner.cache_, owner.mutex_, owner.counters_) {}
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  [[nodiscard]] Result<> open() { return queries_.open(); }

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
    queries_.ask(question, std::move(done));
  }

  // Until the next answer, time-out or order.
  void wait_and_process() {
    Duration longest = 60s;
    if (!deadlines_.empty()) longest = std::clamp<Duration>(deadlines_.begin()->first - now(), 0us, longest);
    queries_.wait_and_process(owner_.event_, longest);
    expire(now());
  }

  // All searches end with what is known.
  void finish_all() {
    expire(never);
    queries_.cancel();
  }

  [[nodiscard]] std::size_t open_queries() const { return queries_.open_queries(); }
  [[nodiscard]] std::size_t open_searches() const { return jobs_.size(); }

 private:
  struct Job {
    Search search;
    std::shared_ptr<locate::AnswerSet> answers;
    Time deadline;
    std::size_t waiting = 0, asked = 0;  // questions
    bool advancing = false;
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
        queries_.ask(question, [this, id, question](AnswerPointer answer) {
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
      {
        const std::scoped_lock lock(owner_.mutex_);
        ++owner_.counters_.searches_late;
      }
      jobs_.at(id).answers->complete();
      end(id);
    }
  }

  Resolver& owner_;
  std::unordered_map<std::uint64_t, Job> jobs_;
  std::set<std::pair<Time, std::uint64_t>> deadlines_;
  std::uint64_t last_job_ = 0;
  DnsQueries queries_;  // the first to go: what is open then is answered to those above
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
