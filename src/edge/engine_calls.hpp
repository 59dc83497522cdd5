#pragma once
// Questions to the engine that have no answer yet. A switch of the engine only delays the answer: the next one is asked again.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "edge/channel.hpp"

namespace perdure::edge {

class EngineCalls {
 public:
  using Done = std::function<void(Result<std::string>)>;

  // `channel`: of the engine that runs, null if none does.
  void add(std::string json, Done done, Channel* channel);
  void ask_again(Channel& channel);
  void on_answer(std::string_view payload);
  // Fails those that have waited for too long.
  void expire(std::chrono::steady_clock::time_point now);
  void fail_all(const std::string& why);

 private:
  struct Call {
    std::string json;
    Done done;
    std::chrono::steady_clock::time_point deadline;
  };

  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Call> calls_;
};

}  // namespace perdure::edge
