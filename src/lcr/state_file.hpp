#pragma once
// Which gateways are out of work, for the next engine: a small shared mapping. Bytes (little endian): 8 of a magic number, 56 reserved,
// then slots_max pairs of words.
//   pair:  key of the gateway, 0: free | failures (12 bits) << 52 | end of the time out of work in milliseconds of store time (52)
// Every change is one 8-byte store: of a new pair the key is written last, so a kill leaves it free. Any bytes can be attached.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::lcr {

struct GatewayState {
  Time out_until{};  // it gets no calls before; 0: it does
  std::uint32_t failures = 0;
  friend bool operator==(const GatewayState&, const GatewayState&) = default;
};

// One thread at a time.
class StateFile {
 public:
  static constexpr std::size_t slots_max = 4096;

  StateFile() = default;
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Maps `path` read-write; a file of another size or layout is replaced by an empty one.
  [[nodiscard]] Result<> open(const std::string& path);
  void for_each(const std::function<void(std::uint64_t key, const GatewayState& state)>& f) const;
  // Keys are never 0. False: there is no room for it, and it is forgotten with the process. Without an open file nothing is done.
  bool put(std::uint64_t key, const GatewayState& state);
  void erase(std::uint64_t key);

 private:
  struct Layout;
  Layout* layout_ = nullptr;
};

}  // namespace perdure::lcr
