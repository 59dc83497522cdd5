#pragma once
// Lists that operators write: a line per item, words between blanks, '#' begins a comment line. Errors are "name:line: message".
#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace perdure {

// Lists are read whole: a path to a device must not fill the memory.
inline constexpr std::size_t text_file_bytes_max = 256ULL << 20;

[[nodiscard]] Result<std::string> read_text_file(const std::string& path);

// Calls `line` with each line that is neither empty nor a comment, without blanks at its ends, and its number; stops at its first error,
// to which `name` and the number are added.
[[nodiscard]] Result<> for_each_line(std::string_view text, std::string_view name,
                                     const std::function<Result<>(std::string_view line, std::size_t number)>& line);

// Without blanks at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);
// Takes the next word off the line; empty at its end.
[[nodiscard]] std::string_view next_word(std::string_view& line);

// The whole text as a decimal number.
template <class T>
[[nodiscard]] std::optional<T> number_from(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace perdure
