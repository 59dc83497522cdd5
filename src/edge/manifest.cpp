#include "edge/manifest.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace perdure::edge {
namespace {

constexpr std::size_t text_bytes_max = 16 << 10, words_max = 64;

std::vector<std::string_view> split(std::string_view text, char by, std::size_t most) {
  std::vector<std::string_view> parts;
  while (!text.empty() && parts.size() < most) {
    const auto end = std::min(text.find(by), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<std::uint32_t> to_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Layout> parse_layout(const std::vector<std::string_view>& words) {
  if (words.size() < 3) return std::nullopt;
  Layout layout{std::string(words[1]), 0, {}};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const auto number = to_number(words[i]);
    if (!number) return std::nullopt;
    if (i == 2)
      layout.writes = *number;
    else
      layout.reads.push_back(*number);
  }
  return layout;
}

}  // namespace

std::string Manifest::text() const {
  std::string out = fmt::format("version {}\n", version);
  for (const auto& layout : layouts)
    out += fmt::format("layout {} {}{}{}\n", layout.name, layout.writes, layout.reads.empty() ? "" : " ", fmt::join(layout.reads, " "));
  return out;
}

Result<Manifest> Manifest::parse(std::string_view text) {
  Manifest manifest;
  if (text.size() > text_bytes_max) return fail("what it says of itself is too long");
  for (const auto line : split(text, '\n', text_bytes_max)) {
    const auto words = split(line, ' ', words_max);
    if (words.size() == 2 && words[0] == "version") manifest.version = words[1];
    if (words.empty() || words[0] != "layout") continue;
    auto layout = parse_layout(words);
    if (!layout) return fail(fmt::format("it says of its layouts '{}', which means nothing", line));
    manifest.layouts.push_back(std::move(*layout));
  }
  if (manifest.version.empty() || manifest.layouts.empty()) return fail("it does not say which layouts of the store it reads");
  return manifest;
}

Result<> Manifest::reads_all_of(const Manifest& writer) const {
  for (const auto& written : writer.layouts) {
    const auto own = std::ranges::find(layouts, written.name, &Layout::name);
    if (own == layouts.end()) return fail(fmt::format("it knows no records of kind {}", written.name));
    if (own->writes == written.writes || std::ranges::count(own->reads, written.writes) > 0) continue;
    auto readable = own->reads;
    readable.push_back(own->writes);
    std::ranges::sort(readable);
    return fail(
        fmt::format("records of kind {} have layout {}, and it reads only {}", written.name, written.writes, fmt::join(readable, " and ")));
  }
  return {};
}

}  // namespace perdure::edge
