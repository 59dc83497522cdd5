#pragma once
// Header lines in a block of bytes: used by the parser and by the stream framer, so that both see the same lines.
#include <bit>
#include <cstddef>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace perdure::sip {

// The first CR or LF at or after `from`, or the size. A header line is short: 16 bytes at a time beat a call of memchr for each of the two.
[[nodiscard]] inline std::size_t find_line_break(std::string_view text, std::size_t from) {
#ifdef __SSE2__
  const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, cr), _mm_cmpeq_epi8(bytes, lf))));
    if (found) return from + static_cast<std::size_t>(std::countr_zero(found));
  }
#endif
  while (from < text.size() && text[from] != '\r' && text[from] != '\n') ++from;
  return from;
}

// [begin, content_end) without the line end, `end` after it; end == 0: there is no complete line.
struct Line {
  std::size_t begin = 0, content_end = 0, end = 0;
  bool lone_cr = false;  // a CR that is not part of a line end: the next hop might see a line there that we do not see
  [[nodiscard]] bool empty() const { return content_end == begin; }
};

// A bare LF ends a line, too: many senders and every other stack read it so.
[[nodiscard]] inline Line next_line(std::string_view text, std::size_t begin) {
  bool lone_cr = false;
  for (std::size_t i = find_line_break(text, begin); i < text.size(); i = find_line_break(text, i + 1)) {
    if (text[i] == '\n') return {begin, i, i + 1, lone_cr};
    if (i + 1 < text.size() && text[i + 1] == '\n') return {begin, i, i + 2, lone_cr};
    lone_cr = true;
  }
  return {begin, begin, 0, lone_cr};
}

// The same with the lines that continue it (RFC 3261 7.3.1). An empty line is never continued.
[[nodiscard]] inline Line next_field(std::string_view text, std::size_t begin) {
  Line line = next_line(text, begin);
  if (line.end == 0 || line.empty()) return line;
  while (line.end < text.size() && (text[line.end] == ' ' || text[line.end] == '\t')) {
    const Line more = next_line(text, line.end);
    if (more.end == 0) return {begin, begin, 0, false};
    line.lone_cr = line.lone_cr || more.lone_cr;
    line.content_end = more.content_end;
    line.end = more.end;
  }
  return line;
}

}  // namespace perdure::sip
