#pragma once
// A number or a text: what tables, lists and variables that workers share hold.
#include <cstdint>
#include <string>
#include <string_view>

namespace perdure {

struct Value {
  bool is_number = false;
  std::int64_t number = 0;
  std::string text;

  static Value of(std::int64_t number) { return {.is_number = true, .number = number, .text = {}}; }
  static Value of(std::string_view text) { return {.is_number = false, .number = 0, .text = std::string(text)}; }
  friend bool operator==(const Value&, const Value&) = default;
};

}  // namespace perdure
