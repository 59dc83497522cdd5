#pragma once
// A [htable.NAME] section of the configuration, as this folder needs it.
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.hpp"

namespace perdure::htable {

inline constexpr std::size_t tables_max = 64;
inline constexpr std::size_t key_bytes_max = 1024;
inline constexpr std::size_t text_bytes_max = 64 * 1024;
// What an entry counts towards bytes_max beside its key and its text.
inline constexpr std::size_t entry_overhead_bytes = 128;

struct TableOptions {
  std::string name{};
  Duration autoexpire{};                  // of an entry from its last change, see update_expire; 0: none expires by itself
  std::optional<std::int64_t> initval{};  // value of a key that is not there
  bool update_expire = true;              // a change of the value begins autoexpire anew
  std::uint32_t entries_max = 100'000;
  std::uint64_t bytes_max = 64ULL << 20;  // of keys, texts and overhead
  bool persist = false;                   // survives the engine in the store
  std::string load{};                     // path of a file with entries (file.hpp); empty: none
};

}  // namespace perdure::htable
