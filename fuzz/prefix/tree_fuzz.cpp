// Prefixes of any text are refused with file and line, or every text finds the longest that it begins with.
#include <string>

#include "fuzz/list_error.hpp"
#include "prefix/tree.hpp"

namespace {

using namespace perdure;
using namespace perdure::prefix;
using fuzz::expect;

constexpr std::string_view file = "tree.list";

std::uint32_t longest_of_all(const Index& prefixes, std::string_view text) {
  std::uint32_t best = Index::none;
  for (std::uint32_t i = 0; i < prefixes.size(); ++i)
    if (text.starts_with(prefixes.text(i)) && (best == Index::none || prefixes.text(i).size() > prefixes.text(best).size())) best = i;
  return best;
}

void check_order(const Tree& tree) {
  const Index& prefixes = tree.prefixes();
  for (std::uint32_t i = 0; i < prefixes.size(); ++i) {
    expect(i == 0 || prefixes.text(i - 1) < prefixes.text(i), "prefixes out of order, or twice");
    const std::uint32_t shorter = prefixes.shorter(i);
    const std::string_view text = prefixes.text(i);
    const std::uint32_t expected = text.empty() ? Index::none : longest_of_all(prefixes, text.substr(0, text.size() - 1));
    expect(shorter == expected, "not the next shorter prefix");
    expect(prefixes.longest(text) == i, "a prefix does not find itself");
  }
}

void check_same(const Tree& tree, const TreeOptions& options) {
  std::string text;
  for (std::uint32_t i = 0; i < tree.prefixes().size(); ++i) {
    const Value value = tree.value(i);
    text += std::string(tree.prefixes().text(i)) + " " + (value.is_number ? std::to_string(value.number) : value.text) + "\n";
  }
  const auto again = Tree::parse(text, options, file);
  expect(again.has_value() && again->prefixes().size() == tree.prefixes().size(), "another tree when written again");
  for (std::uint32_t i = 0; i < tree.prefixes().size(); ++i)
    expect(again->value(i) == tree.value(i) && again->prefixes().text(i) == tree.prefixes().text(i), "another value when written again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  TreeOptions options;
  options.integers = !rest.empty() && rest.front() == '#';
  const auto tree = Tree::parse(fuzz::next_text(rest), options, file);
  if (!tree) {
    fuzz::expect_file_and_line(tree.error().message, file);
    return 0;
  }
  check_order(*tree);
  check_same(*tree, options);
  while (!rest.empty()) {
    const std::string_view text = fuzz::next_text(rest);
    expect(tree->prefixes().longest(text) == longest_of_all(tree->prefixes(), text), "not the longest prefix");
  }
  return 0;
}
