#include "prefix/tree.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "base/text_file.hpp"

namespace perdure::prefix {

struct Tree::Row {
  std::string_view prefix;
  std::uint32_t value = 0;
  std::uint32_t line = 0;
};

class Tree::Builder {
 public:
  explicit Builder(const TreeOptions& options) { tree_.integers_ = options.integers; }

  // `prefix` and `value` live until build().
  [[nodiscard]] Result<> add(std::string_view prefix, std::string_view value, std::size_t line) {
    if (prefix.size() > prefix_bytes_max) return fail("the prefix is longer than " + std::to_string(prefix_bytes_max) + " characters");
    if (tree_.integers_ && !number_from<std::int64_t>(value)) return fail("'" + std::string(value) + "' is not a number");
    if (rows_.size() >= prefixes_max) return fail("more than " + std::to_string(prefixes_max) + " prefixes");
    const auto [found, is_new] = known_.try_emplace(value, static_cast<std::uint32_t>(tree_.values_.size()));
    if (is_new) tree_.values_.emplace_back(value);
    rows_.push_back({prefix, found->second, static_cast<std::uint32_t>(line)});
    return {};
  }

  // `place` is what stands before the number of a line in errors.
  [[nodiscard]] Result<Tree> build(const std::string& place, std::string_view line_word) {
    std::ranges::sort(rows_, {}, [](const Row& row) { return std::pair(row.prefix, row.line); });
    for (std::size_t i = 1; i < rows_.size(); ++i)
      if (rows_[i].prefix == rows_[i - 1].prefix)
        return fail(place + std::to_string(rows_[i].line) + ": the prefix '" + std::string(rows_[i].prefix) + "' stands in " +
                    std::string(line_word) + " " + std::to_string(rows_[i - 1].line) + ", too");
    std::vector<std::string_view> prefixes;
    prefixes.reserve(rows_.size());
    tree_.value_of_.reserve(rows_.size());
    for (const Row& row : rows_) {
      prefixes.push_back(row.prefix);
      tree_.value_of_.push_back(row.value);
    }
    tree_.index_ = Index(prefixes);
    return std::move(tree_);
  }

 private:
  Tree tree_;
  std::vector<Row> rows_;
  std::unordered_map<std::string_view, std::uint32_t> known_;
};

Result<Tree> Tree::parse(std::string_view text, const TreeOptions& options, std::string_view name) {
  Builder builder(options);
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t number) -> Result<> {
    const std::string_view prefix = next_word(line), value = trim(line);
    if (value.empty()) return fail("a line is a prefix and a value");
    return builder.add(prefix, value, number);
  });
  if (!done) return std::unexpected(done.error());
  return builder.build(std::string(name) + ":", "line");
}

Result<Tree> Tree::make(const std::vector<std::pair<std::string, std::string>>& rows, const TreeOptions& options, std::string_view name) {
  Builder builder(options);
  const std::string place = std::string(name) + ": row ";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [prefix, value] = rows[i];
    auto added = prefix.empty() || value.empty() ? fail("a prefix or value is empty") : builder.add(prefix, value, i + 1);
    if (!added) return fail(place + std::to_string(i + 1) + ": " + added.error().message);
  }
  return builder.build(place, "row");
}

Result<Tree> Tree::load(const TreeOptions& options) {
  if (options.file.empty()) return fail("the tree '" + options.name + "' has no file");
  const auto text = read_text_file(options.file);
  if (!text) return std::unexpected(text.error());
  return parse(*text, options, options.file);
}

Value Tree::value(std::uint32_t number) const {
  const std::string& text = values_[value_of_[number]];
  return integers_ ? Value::of(number_from<std::int64_t>(text).value_or(0)) : Value::of(std::string_view(text));
}

std::size_t Tree::memory_bytes() const {
  std::size_t bytes = index_.memory_bytes() + value_of_.capacity() * sizeof(std::uint32_t) + values_.capacity() * sizeof(std::string);
  for (const auto& value : values_) bytes += value.capacity() > 15 ? value.capacity() + 1 : 0;
  return bytes;
}

Trees::Trees(std::vector<TreeOptions> options) : options_(std::move(options)), trees_(options_.size()) {}

std::shared_ptr<const Tree> Trees::find(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &TreeOptions::name);
  return found == options_.end() ? nullptr : trees_[static_cast<std::size_t>(found - options_.begin())].load(std::memory_order_acquire);
}

void Trees::replace(std::vector<std::shared_ptr<const Tree>> trees) {
  PERDURE_ASSERT(trees.size() == trees_.size());
  for (std::size_t i = 0; i < trees.size(); ++i) trees_[i].store(std::move(trees[i]), std::memory_order_release);
}

}  // namespace perdure::prefix
