#pragma once
// What a list of an operator is refused with.
#include <charconv>
#include <cstdint>
#include <string_view>

#include "fuzz/input.hpp"

namespace perdure::fuzz {

inline void expect_file_and_line(std::string_view message, std::string_view file) {
  expect(message.starts_with(file) && message.size() > file.size() && message[file.size()] == ':', "an error without the file");
  const char* const begin = message.data() + file.size() + 1;
  std::uint32_t line = 0;
  const auto [end, error] = std::from_chars(begin, message.data() + message.size(), line);
  expect(error == std::errc{} && line > 0 && end != message.data() + message.size() && *end == ':', "an error without a line");
}

// The list is what stands before the first NUL, what follows are texts to look for, with a NUL between them.
inline std::string_view next_text(std::string_view& rest) {
  const std::size_t end = rest.find('\0');
  const std::string_view text = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return text;
}

}  // namespace perdure::fuzz
