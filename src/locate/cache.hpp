#pragma once
// Answers of the DNS until their time is over. Thread-safe, bounded: what has not been asked for the longest makes room.
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "locate/records.hpp"

namespace perdure::locate {

struct CacheOptions {
  std::uint32_t entries_max = 10'000;
  Duration ttl_min = 10s, ttl_max = 1h;  // a TTL outside counts as the nearer of them
  Duration negative_ttl = 60s;           // most that "there is none" is kept; least is ttl_min, if that is less
  Duration failure_ttl = 5s;             // that nobody could say
  Duration stale_max = 1h;               // an answer that is older than its TTL by at most this stands in while nobody can say
};

class Cache {
 public:
  explicit Cache(const CacheOptions& options) : options_(options) {}

  // Null: not known, or its time is over.
  [[nodiscard]] AnswerPointer find(const Question& question, Time now);
  // Returns what is known from now on: if `answer` is a failure, it may be what was known before.
  AnswerPointer put(const Question& question, Answer answer, Time now);
  // From a file: never over, never evicted, not counted.
  void put_fixed(const Question& question, Answer answer);
  void clear();  // all but the fixed ones

  struct View {
    Question question;
    AnswerPointer answer;
    Duration left{};  // negative: its time is over
    bool fixed = false;
  };
  [[nodiscard]] std::vector<View> list(Time now, std::size_t limit) const;

  struct Counters {
    std::uint64_t hits = 0, misses = 0, evicted = 0, stale = 0;
    std::size_t entries = 0;
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct Entry {
    Question question;
    AnswerPointer answer;
    Time expires;
    Time keeps_until;  // as stale
  };
  const CacheOptions options_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the latest asked for first
  std::unordered_map<Question, std::list<Entry>::iterator, QuestionHash> index_;
  std::unordered_map<Question, AnswerPointer, QuestionHash> fixed_;
  Counters counters_;
};

}  // namespace perdure::locate
