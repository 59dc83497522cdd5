#pragma once
// What the resolver has asked name servers by c-ares and waits for: each question once, however many want its answer, with bounds on how
// many are on their way. Follows aliases. One thread.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "locate/cache.hpp"
#include "net/resolver.hpp"

struct ares_channeldata;  // of c-ares

namespace perdure::net {

class DnsQueries {
 public:
  using Use = std::function<void(locate::AnswerPointer)>;
  // Answers go to `cache`. `mutex` guards `counters`. All outlive it.
  DnsQueries(const ResolverOptions& options, locate::Cache& cache, std::mutex& mutex, Resolver::Counters& counters)
      : options_(options), cache_(cache), mutex_(mutex), counters_(counters) {}
  ~DnsQueries();  // all that is open is answered, with failures
  DnsQueries(const DnsQueries&) = delete;
  DnsQueries& operator=(const DnsQueries&) = delete;

  [[nodiscard]] Result<> open();
  // The cache is not looked at. `use` may be called at once; an answer that could not be asked for is a failure.
  void ask(const locate::Question& question, Use use) { ask(question, 0, std::move(use)); }
  // Until there is an answer, a time-out, or something to read from `event`, an eventfd, which is emptied; at most so long.
  void wait_and_process(int event, Duration longest);
  void cancel();
  [[nodiscard]] std::size_t open_queries() const { return in_flight_.size(); }

 private:
  struct Query {
    DnsQueries* queries;
    locate::Question question;
  };
  struct InFlight {
    std::size_t step = 0;                       // of a chain of aliases
    std::optional<locate::Question> waits_for;  // the next of the chain
    std::vector<Use> uses;
  };
  void ask(const locate::Question& question, std::size_t step, Use use);
  static void on_answer(void* argument, int status, int timeouts, unsigned char* bytes, int size);
  void on_answer(const locate::Question& question, int status, std::span<const std::uint8_t> bytes);
  [[nodiscard]] bool leads_to(locate::Question from, const locate::Question& to) const;
  void finish(const locate::Question& question, locate::Answer answer);
  void count(std::uint64_t Resolver::Counters::*counter);

  const ResolverOptions& options_;
  locate::Cache& cache_;
  std::mutex& mutex_;
  Resolver::Counters& counters_;
  ares_channeldata* channel_ = nullptr;
  std::unordered_map<locate::Question, InFlight, locate::QuestionHash> in_flight_;
  std::unordered_map<std::string, std::uint32_t> of_domain_;
};

}  // namespace perdure::net
