#include "permissions/trusted_list.hpp"

#include <regex.h>

#include <algorithm>

#include "base/text_file.hpp"

namespace perdure::permissions {

class TrustedList::Pattern {
 public:
  static Result<std::shared_ptr<const Pattern>> compile(const std::string& text) {
    auto made = std::make_shared<Pattern>();
    if (regcomp(&made->expression_, text.c_str(), REG_NOSUB) != 0) return fail("'" + text + "' is no regular expression");
    made->compiled_ = true;
    return made;
  }
  Pattern() = default;
  ~Pattern() {
    if (compiled_) regfree(&expression_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  [[nodiscard]] bool matches(const std::string& text) const { return regexec(&expression_, text.c_str(), 0, nullptr, 0) == 0; }

 private:
  regex_t expression_{};
  bool compiled_ = false;
};

Result<std::optional<TrustedList::Entry>> TrustedList::entry_of(TrustedRow row) {
  Entry entry;
  if (row.transport == "none") return std::nullopt;
  if (row.transport != "any" && row.transport != "sctp") {
    entry.transport = transport_from(row.transport);
    if (!entry.transport) return fail("'" + row.transport + "' is no transport, any or none");
  }
  if (row.transport == "sctp") return std::nullopt;  // nothing comes that way
  const auto source = SocketAddress::parse(row.source, 0);
  if (!source) return fail("'" + row.source + "' is not a numeric address");
  row.source = source->ip_text();
  for (const auto& [text, pattern] : {std::pair(&row.from_pattern, &entry.from), {&row.uri_pattern, &entry.uri}}) {
    if (text->empty()) continue;
    auto compiled = Pattern::compile(*text);
    if (!compiled) return std::unexpected(compiled.error());
    *pattern = std::move(*compiled);
  }
  entry.row = std::move(row);
  return entry;
}

Result<TrustedList> TrustedList::make(std::vector<TrustedRow> rows, std::string_view name) {
  TrustedList list;
  if (rows.size() > trusted_max) return fail(std::string(name) + ": more than " + std::to_string(trusted_max) + " rows");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto entry = entry_of(std::move(rows[i]));
    if (!entry) return fail(std::string(name) + ": row " + std::to_string(i + 1) + ": " + entry.error().message);
    if (!*entry) continue;
    const std::string source = (*entry)->row.source;
    list.by_source_[source].push_back(std::move(**entry));
  }
  for (auto& [source, entries] : list.by_source_)
    std::ranges::stable_sort(entries, std::ranges::greater(), [](const Entry& entry) { return entry.row.priority; });
  return list;
}

Result<TrustedList> TrustedList::load(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  std::vector<TrustedRow> rows;
  auto done = for_each_line(*text, path, [&](std::string_view line, std::size_t) -> Result<> {
    const auto word = [&] {
      const auto next = next_word(line);
      return next == "-" ? std::string() : std::string(next);
    };
    TrustedRow row;
    row.source = word();
    row.transport = word();
    row.from_pattern = word();
    row.uri_pattern = word();
    row.tag = word();
    if (const auto priority = word(); !priority.empty()) {
      const auto number = number_from<std::int64_t>(priority);
      if (!number) return fail("'" + priority + "' is no priority");
      row.priority = *number;
    }
    if (!trim(line).empty()) return fail("'" + std::string(trim(line)) + "' after the priority");
    // Here and not in make(), so that the error names the line.
    if (auto checked = entry_of(row); !checked) return std::unexpected(checked.error());
    rows.push_back(std::move(row));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return make(std::move(rows), path);
}

const TrustedRow* TrustedList::find(std::string_view source, Transport transport, const std::string& from, const std::string& uri) const {
  const auto found = by_source_.find(std::string(source));
  if (found == by_source_.end()) return nullptr;
  for (const Entry& entry : found->second) {
    if (entry.transport && *entry.transport != transport) continue;
    if (entry.from && !entry.from->matches(from)) continue;
    if (entry.uri && !entry.uri->matches(uri)) continue;
    return &entry.row;
  }
  return nullptr;
}

std::vector<TrustedRow> TrustedList::rows() const {
  std::vector<TrustedRow> all;
  for (const auto& [source, entries] : by_source_)
    for (const Entry& entry : entries) all.push_back(entry.row);
  std::ranges::stable_sort(all, {}, &TrustedRow::source);
  return all;
}

}  // namespace perdure::permissions
