#pragma once
// Locks with names that scripts of different workers take and give back (KSR.cfgutils.lock, KSR.htable.sht_lock). A worker must never be
// stuck in one: waiting has a deadline, and what a callback still holds at its end is given back.
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace perdure::shared {

class NamedLocks {
 public:
  static constexpr std::size_t held_max = 32;  // by one holder at a time
  static constexpr std::chrono::milliseconds patience{50};

  enum class Taken : std::uint8_t {
    Yes,
    Busy,     // another holder has it, and did not give it back in time
    TooMany,  // held_max
  };

  // What one callback holds. Used by one thread; gives everything back at its end.
  class Holder {
   public:
    Holder() = default;
    ~Holder() { release_all(); }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    void release_all();

   private:
    friend class NamedLocks;
    NamedLocks* locks_ = nullptr;
    std::vector<std::string> names_;  // one for each time that a lock was taken
  };

  // A holder may take a lock again, and then must give it back as often. `wait` false: at once or not at all.
  [[nodiscard]] Taken take(std::string_view name, Holder& holder, bool wait);
  // False: the holder does not have it.
  bool release(std::string_view name, Holder& holder);
  // How often a lock could not be had in time.
  [[nodiscard]] std::uint64_t timeouts() const { return timeouts_.load(std::memory_order_relaxed); }

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Owner {
    const Holder* holder = nullptr;
    std::uint32_t times = 0;
  };
  struct Shard {
    std::mutex mutex;
    std::condition_variable freed;
    std::unordered_map<std::string, Owner, NameHash, std::equal_to<>> taken;
  };
  [[nodiscard]] Shard& shard_of(std::string_view name) { return shards_[NameHash{}(name) % shards_.size()]; }
  void free_once(std::string_view name);

  std::array<Shard, 16> shards_;
  std::atomic<std::uint64_t> timeouts_{0};
};

}  // namespace perdure::shared
