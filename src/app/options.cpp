#include "app/options.hpp"

#include <fmt/format.h>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

constexpr SectionFamily families[] = {{"htable", begin_htable},
                                      {"pipe", begin_pipe},
                                      {"mtree", begin_tree},
                                      {"sql", begin_database},
                                      {"timer", begin_timer},
                                      {"redis", begin_redis},
                                      {"http_connection", begin_http_connection}};

std::vector<Option> all_sections() {
  std::vector<Option> all;
  for (const auto section :
       {general_options(),   state_options(),  transaction_options(), dispatcher_options(), htable_options(),      permissions_options(),
        routing_options(),   limits_options(), sql_options(),         accounting_options(), events_options(),      dns_options(),
        redis_options(),     http_options(),   log_options(),         trace_options(),      connections_options(), tls_options(),
        websocket_options(), engine_options(), admin_options()})
    all.insert(all.end(), section.begin(), section.end());
  return all;
}

std::string duration_text(Duration duration) {
  const auto us = duration.count();
  if (us == 0) return "0s";
  if (us % 3'600'000'000 == 0) return fmt::format("{}h", us / 3'600'000'000);
  if (us % 60'000'000 == 0) return fmt::format("{}m", us / 60'000'000);
  if (us % 1'000'000 == 0) return fmt::format("{}s", us / 1'000'000);
  return fmt::format("{}ms", us / 1000);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= 1ULL << 30) return fmt::format("{}GiB", bytes >> 30);
  if (bytes >= 1ULL << 20) return fmt::format("{}MiB", bytes >> 20);
  return fmt::format("{}KiB", bytes >> 10);
}

struct TypeText {
  std::string operator()(const TextOption&) const { return "text"; }
  std::string operator()(const PathOption&) const { return "path"; }
  std::string operator()(const PathsOption&) const { return "list of paths"; }
  std::string operator()(const TextsOption&) const { return "list of texts"; }
  std::string operator()(const DurationOption& o) const {
    return fmt::format("duration, {} to {}", duration_text(o.least), duration_text(o.most));
  }
  std::string operator()(const SizeOption& o) const { return fmt::format("size, {} to {}", size_text(o.least), size_text(o.most)); }
  std::string operator()(const NumberOption& o) const { return fmt::format("number, {} to {}", o.least, o.most); }
  std::string operator()(const BooleanOption&) const { return "true | false"; }
  std::string operator()(const OptionalNumberOption&) const { return "number"; }
  std::string operator()(const ChoiceOption& o) const {
    std::string text;
    for (const auto choice : o.choices) text += fmt::format("{}\"{}\"", text.empty() ? "" : " | ", choice);
    return text;
  }
};

// "htable.NAME" for the options of a family.
std::string shown_section(std::string_view section) {
  return section.ends_with('*') ? std::string(section.substr(0, section.size() - 1)) + "NAME" : std::string(section);
}

}  // namespace

std::span<const Option> options() {
  static const std::vector<Option> all = all_sections();
  return all;
}
std::span<const SectionFamily> section_families() {
  return families;
}

std::string describe_type(const Option& option) {
  return std::visit(TypeText{}, option.value);
}

std::string configuration_reference() {
  std::string out =
      "# Configuration\n\n"
      "One TOML file, given with `-c`. A key that is not here is an error, and so is a value of another type or out of its range; errors "
      "name file and\n"
      "line. Paths are relative to the folder of the file. Durations are texts with a unit: `500ms`, `4s`, `10m`, `2h`, `1d`. Sizes are "
      "texts or numbers\n"
      "of bytes: `64KiB`, `16MiB`, `1GiB`. Without `-c` a default runs that listens on loopback only.\n\n"
      "This page is written by `perdure options`, from the table that the parser reads. A change of the file takes effect at the next "
      "start; "
      "`perdure\n"
      "reload` reads the script and the lists again, nothing else.\n";
  std::string_view section = "-";
  for (const auto& option : options()) {
    if (option.section != section) {
      section = option.section;
      out += section.empty() ? "\n## Top level\n" : fmt::format("\n## [{}]\n", shown_section(section));
    }
    out += fmt::format("\n### {}{}{}\n\n{}\n\n- Type: {}\n- Default: {}\n", shown_section(option.section),
                       option.section.empty() ? "" : ".", option.key, option.text, describe_type(option),
                       option.default_value.empty() ? "none" : fmt::format("`{}`", option.default_value));
  }
  return out;
}

}  // namespace perdure::app
