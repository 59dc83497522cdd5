#pragma once
// Lists and hash tables that begin with what a table of a database holds. All of this blocks: it is for the start and for reloads.
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "app/config.hpp"
#include "base/result.hpp"
#include "dialplan/rules.hpp"
#include "htable/file.hpp"
#include "permissions/address_list.hpp"
#include "permissions/trusted_list.hpp"
#include "prefix/tree.hpp"

namespace perdure::app {

// What a hash table gets. `lifetimes`: of the keys that do not live for ever.
struct LoadedTable {
  htable::Entries entries;
  std::vector<std::pair<std::string, Duration>> lifetimes;
};

// Errors begin with the name of the section. When `stopping` is set, it is one, soon.
[[nodiscard]] Result<LoadedTable> load_htable(const Config& config, const Config::TableSource& source, std::int64_t wall_us,
                                              const std::atomic<bool>& stopping);
[[nodiscard]] Result<permissions::AddressList> load_addresses(const Config& config);
[[nodiscard]] Result<permissions::TrustedList> load_trusted(const Config& config);
[[nodiscard]] Result<dialplan::Rules> load_rules(const Config& config);
[[nodiscard]] Result<prefix::Tree> load_tree(const Config& config, const prefix::TreeOptions& options);

}  // namespace perdure::app
