#pragma once
// The one table of configuration options: the parser reads it, docs/configuration.md is written from it.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/config.hpp"

namespace perdure::app {

// Where the value of an option goes. The functions give the member of a Config.
struct TextOption {
  Result<> (*set)(Config&, std::string_view);
};
struct PathOption {
  std::string& (*member)(Config&);
};
struct PathsOption {
  std::vector<std::string>& (*member)(Config&);
};
struct TextsOption {
  Result<> (*set)(Config&, const std::vector<std::string>&);
};
struct DurationOption {
  Duration& (*member)(Config&);
  Duration least, most;
};
struct SizeOption {
  std::uint64_t& (*member)(Config&);
  std::uint64_t least, most;
};
struct NumberOption {
  std::uint32_t& (*member)(Config&);
  std::uint32_t least, most;
};
struct ChoiceOption {
  std::span<const std::string_view> choices;
  void (*set)(Config&, std::size_t choice);
};

struct BooleanOption {
  bool& (*member)(Config&);
};
struct OptionalNumberOption {
  std::optional<std::int64_t>& (*member)(Config&);
};

struct Option {
  std::string_view section;  // empty: top level; "name.*": of each section [name.NAME]
  std::string_view key;
  std::string_view default_value;  // as TOML; empty: none, the option may be left out
  std::string_view text;           // one paragraph for the operator
  std::variant<TextOption, PathOption, PathsOption, TextsOption, DurationOption, SizeOption, NumberOption, ChoiceOption, BooleanOption,
               OptionalNumberOption>
      value;
};

[[nodiscard]] std::span<const Option> options();

// Sections that there can be several of, [section.NAME]. `begin` adds one, which the members of its options mean until the next; an error
// says what is wrong with the name.
struct SectionFamily {
  std::string_view section;
  Result<> (*begin)(Config& config, std::string_view name);
};
[[nodiscard]] std::span<const SectionFamily> section_families();

// "duration, 1ms to 10s"
[[nodiscard]] std::string describe_type(const Option& option);
// docs/configuration.md
[[nodiscard]] std::string configuration_reference();

}  // namespace perdure::app
