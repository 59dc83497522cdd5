#pragma once
// What of the dispatcher survives the engine: the state of each destination, the calls counted for it, and whether any is probed. A small
// shared mapping in the live directory. Bytes (little endian): 64 bytes of header, then destinations_max words, then loads_max pairs of
// words.
//   header: magic word, then a word that is 1 while probes are switched off
//   word:  tag of set and uri (40 bits) | listed flags (4) | state flags (4) | count towards a threshold (16); 0: free
//   pair:  key of the Call-ID, 0: free | slot + 1 (16 bits) << 48 | expiry in seconds of store time (48)
// Every change is one 8-byte store, so a kill leaves the old or the new. A pair is valid when both words are: the key is written first and
// cleared last, and a pair without second word counts for nothing. Any bytes can be attached: what makes no sense is free.
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "dispatch/destination.hpp"

namespace perdure::dispatch {

struct List;

class StateFile {
 public:
  static constexpr std::size_t loads_max = 65536;

  // In memory of the process only.
  StateFile();
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Maps `path` read-write; a file of another size or layout is replaced by an empty one. Expiries beyond `expiry_limit` are cut to it.
  [[nodiscard]] Result<> open(const std::string& path, Time expiry_limit);

  // Gives every destination of `list` a slot: its own if it has one, else a free one or one whose destination has left. A destination that
  // is new, or whose flags in the list are not those of last time, starts with the flags of the list. Not concurrent with itself.
  void bind(List& list);

  struct State {
    std::uint8_t flags = 0;
    std::uint16_t count = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  [[nodiscard]] State get(std::uint32_t slot) const;
  // Replaces `expected` by `desired`; on failure `expected` is what stands there.
  bool exchange(std::uint32_t slot, State& expected, State desired);

  [[nodiscard]] bool pings() const;
  void set_pings(bool on);

  // Calls counted. `key` is a hash of the Call-ID, never 0.
  bool load_add(std::uint64_t key, std::uint32_t slot, Time expiry);
  bool load_touch(std::uint64_t key, Time expiry);
  bool load_remove(std::uint64_t key);
  [[nodiscard]] std::uint32_t load(std::uint32_t slot) const { return loads_[slot].load(std::memory_order_relaxed); }
  // Removes what has expired among the next `limit` pairs.
  void expire(Time now, std::size_t limit);

 private:
  struct Layout;
  [[nodiscard]] std::size_t find_pair(std::uint64_t key) const;
  void free_pair(std::size_t pair);
  void recount(Time expiry_limit);

  Layout* layout_ = nullptr;
  bool mapped_ = false;
  std::size_t expire_at_ = 0;
  std::vector<std::atomic<std::uint32_t>> loads_;  // calls per slot, derived from the pairs
};

}  // namespace perdure::dispatch
