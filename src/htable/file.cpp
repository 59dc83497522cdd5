#include "htable/file.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/text_file.hpp"
#include "htable/options.hpp"

namespace perdure::htable {
namespace {

Result<std::pair<std::string, Value>> parse_line(std::string_view line) {
  std::string key;
  if (line.starts_with('"')) {
    const std::size_t end = line.find('"', 1);
    if (end == std::string_view::npos) return fail("the key begins with a quote that has no end");
    key = line.substr(1, end - 1);
    line.remove_prefix(end + 1);
  } else {
    key = next_word(line);
  }
  line = trim(line);
  if (key.size() > key_bytes_max) return fail(fmt::format("a key of more than {} bytes", key_bytes_max));
  if (line.starts_with("s:")) {
    if (line.size() - 2 > text_bytes_max) return fail(fmt::format("a text of more than {} bytes", text_bytes_max));
    return std::pair{std::move(key), Value::of(line.substr(2))};
  }
  if (!line.starts_with("i:")) return fail("a key is followed by i: and a number, or s: and a text");
  line.remove_prefix(2);
  const auto number = number_from<std::int64_t>(line);
  if (!number) return fail(fmt::format("'{}' is not a number", line));
  return std::pair{std::move(key), Value::of(*number)};
}

}  // namespace

Result<Entries> parse_entries(std::string_view text, std::string_view name) {
  Entries entries;
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t) -> Result<> {
    auto entry = parse_line(line);
    if (!entry) return std::unexpected(entry.error());
    entries.push_back(std::move(*entry));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return entries;
}

Result<Entries> load_entries(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_entries(*text, path);
}

}  // namespace perdure::htable
