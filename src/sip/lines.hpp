#pragma once
// Header lines in a block of bytes: used by the parser and by the stream framer, so that both see the same lines.
#include <cstddef>
#include <cstring>
#include <string_view>

namespace perdure::sip {

// [begin, content_end) without the line end, `end` after it; end == 0: there is no complete line.
struct Line {
  std::size_t begin = 0, content_end = 0, end = 0;
  [[nodiscard]] bool empty() const { return content_end == begin; }
};

// A bare LF ends a line, too: many senders and every other stack read it so.
[[nodiscard]] inline Line next_line(std::string_view text, std::size_t begin) {
  if (begin >= text.size()) return {begin, begin, 0};
  const void* found = std::memchr(text.data() + begin, '\n', text.size() - begin);
  if (!found) return {begin, begin, 0};
  const auto position = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  return {begin, position > begin && text[position - 1] == '\r' ? position - 1 : position, position + 1};
}

// The same with the lines that continue it (RFC 3261 7.3.1). An empty line is never continued.
[[nodiscard]] inline Line next_field(std::string_view text, std::size_t begin) {
  Line line = next_line(text, begin);
  if (line.end == 0 || line.empty()) return line;
  while (line.end < text.size() && (text[line.end] == ' ' || text[line.end] == '\t')) {
    const Line more = next_line(text, line.end);
    if (more.end == 0) return {begin, begin, 0};
    line.content_end = more.content_end;
    line.end = more.end;
  }
  return line;
}

}  // namespace perdure::sip
