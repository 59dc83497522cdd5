#pragma once
// Values by prefix: Kamailio's mtree. A file has a line for each, `prefix value`, and may have millions.
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/value.hpp"
#include "prefix/index.hpp"

namespace perdure::prefix {

inline constexpr std::size_t trees_max = 64;

struct TreeOptions {
  std::string name, file;                 // absolute
  std::string database = {}, table = {};  // of a [sql.NAME], instead of a file
  bool integers = false;                  // values are numbers (Kamailio's type 2)
};

// Immutable.
class Tree {
 public:
  // A prefix that stands there twice is an error.
  [[nodiscard]] static Result<Tree> parse(std::string_view text, const TreeOptions& options, std::string_view name);
  [[nodiscard]] static Result<Tree> load(const TreeOptions& options);
  // Prefixes and values; `name` stands in errors, with the number of the row.
  [[nodiscard]] static Result<Tree> make(const std::vector<std::pair<std::string, std::string>>& rows, const TreeOptions& options,
                                         std::string_view name);

  [[nodiscard]] const Index& prefixes() const { return index_; }
  [[nodiscard]] Value value(std::uint32_t number) const;
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Row;
  class Builder;
  Index index_;
  bool integers_ = false;
  // Few values stand for many prefixes: each is kept once.
  std::vector<std::uint32_t> value_of_;  // by the number of the prefix
  std::vector<std::string> values_;
};

// The trees of a configuration, each replaced as a whole. Any thread.
class Trees {
 public:
  explicit Trees(std::vector<TreeOptions> options);
  [[nodiscard]] const std::vector<TreeOptions>& options() const { return options_; }
  // Null: there is none of that name.
  [[nodiscard]] std::shared_ptr<const Tree> find(std::string_view name) const;
  // One for each of options(), in their order.
  void replace(std::vector<std::shared_ptr<const Tree>> trees);

 private:
  const std::vector<TreeOptions> options_;
  std::vector<std::atomic<std::shared_ptr<const Tree>>> trees_;
};

}  // namespace perdure::prefix
