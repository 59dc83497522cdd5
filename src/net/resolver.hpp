#pragma once
// Asks the DNS by c-ares, in one thread of its own, and keeps the answers for all.
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "locate/cache.hpp"
#include "locate/names.hpp"

namespace perdure::net {

struct ResolverOptions {
  std::vector<std::string> servers{};  // "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:53"; none: those of /etc/resolv.conf
  Duration timeout = 2s;               // of the first try of one server; c-ares waits longer with each further one
  std::uint32_t tries = 2;
  locate::CacheOptions cache{};
  std::string hosts_file{};                   // read once; empty: none
  std::uint32_t queries_max = 1000;           // on their way at a time; a further one fails at once
  std::uint32_t queries_of_domain_max = 100;  // of them for names with the same last two labels
  std::uint32_t searches_of_asker_max = 1000;
};

class Resolver final : public locate::Names {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> create(ResolverOptions options);
  // Searches that are open end with what is known.
  ~Resolver() override;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Any thread, none of these blocks.
  [[nodiscard]] locate::AnswerPointer find(const locate::Question& question) override;
  [[nodiscard]] bool search(Search search) override;
  // One question, from the cache if it is there. `done` in the thread of the resolver; null: it is stopping.
  void look_up(locate::Question question, std::function<void(locate::AnswerPointer)> done);

  void forget_all() { cache_.clear(); }
  [[nodiscard]] std::vector<locate::Cache::View> list(std::size_t limit) const;

  struct Counters {
    std::uint64_t searches = 0, searches_refused = 0 /* of an asker that had too many */, searches_late = 0;
    std::uint64_t queries = 0, merged = 0 /* asked already */, refused = 0 /* queries_max */, refused_domain = 0;
    std::uint64_t answers = 0, negative = 0, failures = 0 /* late and malformed ones included */, late = 0, malformed = 0, left_out = 0;
    std::uint64_t open_queries = 0, open_searches = 0;
    locate::Cache::Counters cache;
  };
  [[nodiscard]] Counters counters() const;

 private:
  class Thread;
  explicit Resolver(ResolverOptions options);
  void post(std::function<void(Thread&)> order);
  void serve(Thread& thread);

  const ResolverOptions options_;
  locate::Cache cache_;
  mutable std::mutex mutex_;
  std::deque<std::function<void(Thread&)>> orders_;
  std::vector<std::uint32_t> searches_of_asker_;
  Counters counters_;
  bool stopping_ = false;
  int event_ = -1;
  std::unique_ptr<Thread> state_;
  std::thread thread_;
};

// Names and addresses of a file such as /etc/hosts, for the cache.
void read_hosts_file(const std::string& path, locate::Cache& cache);

}  // namespace perdure::net
