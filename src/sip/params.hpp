#pragma once
// ";name=value" lists of RFC 3261 25.1 (generic-param, uri-parameter), in place: whitespace, folds and quoted strings as they came.
#include <cstddef>
#include <optional>
#include <string_view>

namespace perdure::sip {

struct Param {
  std::string_view name;
  std::string_view value;  // with its quotes if it is a quoted string
  std::string_view text;   // "name = value", without the semicolon before it
  bool has_value = false;
};

// Walks the list. `params` starts with ';' or is empty; the views live as long as its bytes.
class ParamReader {
 public:
  explicit ParamReader(std::string_view params) : rest_(params) {}
  // The next parameter; nullopt at the end or at the first malformed one.
  [[nodiscard]] std::optional<Param> next();
  // True once a parameter did not follow the grammar.
  [[nodiscard]] bool malformed() const { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

[[nodiscard]] bool params_valid(std::string_view params);

// The value of the first parameter with that name (case-insensitive), empty if it has none; nullopt if there is no such parameter.
[[nodiscard]] std::optional<std::string_view> find_param(std::string_view params, std::string_view name);

}  // namespace perdure::sip
