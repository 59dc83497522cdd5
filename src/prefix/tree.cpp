#include "prefix/tree.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "base/text_file.hpp"

namespace perdure::prefix {

Result<Tree> Tree::parse(std::string_view text, const TreeOptions& options, std::string_view name) {
  struct Row {
    std::string_view prefix;
    std::uint32_t value = 0;
    std::uint32_t line = 0;
  };
  Tree tree;
  tree.integers_ = options.integers;
  std::vector<Row> rows;
  std::unordered_map<std::string_view, std::uint32_t> known;
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t number) -> Result<> {
    const std::string_view prefix = next_word(line), value = trim(line);
    if (value.empty()) return fail("a line is a prefix and a value");
    if (prefix.size() > prefix_bytes_max) return fail("the prefix is longer than " + std::to_string(prefix_bytes_max) + " characters");
    if (options.integers && !number_from<std::int64_t>(value)) return fail("'" + std::string(value) + "' is not a number");
    if (rows.size() >= prefixes_max) return fail("more than " + std::to_string(prefixes_max) + " prefixes");
    const auto [found, is_new] = known.try_emplace(value, static_cast<std::uint32_t>(tree.values_.size()));
    if (is_new) tree.values_.emplace_back(value);
    rows.push_back({prefix, found->second, static_cast<std::uint32_t>(number)});
    return {};
  });
  if (!done) return std::unexpected(done.error());
  std::ranges::sort(rows, {}, [](const Row& row) { return std::pair(row.prefix, row.line); });
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i].prefix == rows[i - 1].prefix)
      return fail(std::string(name) + ":" + std::to_string(rows[i].line) + ": the prefix '" + std::string(rows[i].prefix) +
                  "' stands in line " + std::to_string(rows[i - 1].line) + ", too");
  std::vector<std::string_view> prefixes;
  prefixes.reserve(rows.size());
  tree.value_of_.reserve(rows.size());
  for (const Row& row : rows) {
    prefixes.push_back(row.prefix);
    tree.value_of_.push_back(row.value);
  }
  tree.index_ = Index(prefixes);
  return tree;
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

Result<std::vector<std::shared_ptr<const Tree>>> Trees::load() const {
  std::vector<std::shared_ptr<const Tree>> trees;
  for (const auto& one : options_) {
    auto tree = Tree::load(one);
    if (!tree) return std::unexpected(tree.error());
    trees.push_back(std::make_shared<const Tree>(std::move(*tree)));
  }
  return trees;
}

void Trees::replace(std::vector<std::shared_ptr<const Tree>> trees) {
  PERDURE_ASSERT(trees.size() == trees_.size());
  for (std::size_t i = 0; i < trees.size(); ++i) trees_[i].store(std::move(trees[i]), std::memory_order_release);
}

}  // namespace perdure::prefix
