#include "trace/mask.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/case.hpp"

namespace perdure::trace {
namespace {

void blacken(std::span<char> text) {
  for (char& c : text)
    if (c != '\r' && c != '\n') c = 'x';
}

std::string_view view(std::span<const char> text) {
  return {text.data(), text.size()};
}

bool is_credentials(std::string_view line) {
  constexpr std::string_view names[] = {"authorization", "proxy-authorization"};
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return false;
  std::string_view name = line.substr(0, colon);
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
  return std::ranges::any_of(names, [&](std::string_view one) { return equals_ignore_case(name, one); });
}

// From the value on; it may have several lines.
void mask_value(std::span<char> value) {
  const std::size_t begin = view(value).find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return;
  value = value.subspan(begin);
  constexpr std::string_view digest = "Digest", response = "response";
  if (value.size() <= digest.size() || !equals_ignore_case(view(value).substr(0, digest.size()), digest)) {
    const std::size_t scheme_end = std::min(view(value).find(' '), value.size());
    return blacken(value.subspan(scheme_end == value.size() ? 0 : scheme_end + 1));
  }
  for (std::size_t at = digest.size(); at + response.size() < value.size(); ++at) {
    if (!equals_ignore_case(view(value).substr(at, response.size()), response)) continue;
    const std::string_view rest = view(value).substr(at + response.size());
    const std::size_t equals = rest.find_first_not_of(" \t\r\n");
    if (equals == rest.npos || rest[equals] != '=') continue;
    const std::size_t from = at + response.size() + equals + 1;
    blacken(value.subspan(from, std::min(view(value).find(',', from), value.size()) - from));
    at = from;
  }
}

void mask_key(std::span<char> line) {
  const std::string_view text = view(line);
  if (text.starts_with("k=")) return blacken(line.subspan(2));
  if (!text.starts_with("a=crypto:")) return;
  constexpr std::string_view inlined = "inline:";
  for (std::size_t at = text.find(inlined); at != text.npos; at = text.find(inlined, at + 1)) {
    const std::size_t from = at + inlined.size();
    blacken(line.subspan(from, std::min(text.find_first_of("|; \r\n", from), text.size()) - from));
  }
}

// Whether a line that begins so may be one of those that are masked: Authorization, Proxy-Authorization, a=crypto, k=. By few letters, for
// most lines that begin with one of these are others (Allow, a=rtpmap).
bool begins_secret(std::string_view line) {
  if (line.size() < 3) return false;
  switch (line[0]) {
    case 'a':
    case 'A':
      return line[1] == '=' ? line[2] == 'c' : to_lower(line[1]) == 'u';
    case 'p':
    case 'P':
      return equals_ignore_case(line.substr(1, 7), "roxy-au");
    case 'k':
      return line[1] == '=';
    default:
      return false;
  }
}

}  // namespace

bool may_hold_credentials(std::string_view message) {
  if (begins_secret(message)) return true;
  std::size_t at = 0;
#ifdef __SSE2__
  const __m128i newline = _mm_set1_epi8('\n'), lower = _mm_set1_epi8(0x20), a = _mm_set1_epi8('a'), p = _mm_set1_epi8('p'),
                k = _mm_set1_epi8('k');
  for (; at + 17 <= message.size(); at += 16) {
    const __m128i ends = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(message.data() + at)), newline);
    const __m128i firsts = _mm_or_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(message.data() + at + 1)), lower);
    const __m128i suspects = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(firsts, a), _mm_cmpeq_epi8(firsts, p)), _mm_cmpeq_epi8(firsts, k));
    auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(ends, suspects)));
    for (; found != 0; found &= found - 1)
      if (begins_secret(message.substr(at + static_cast<std::size_t>(std::countr_zero(found)) + 1))) return true;
  }
#endif
  while ((at = message.find('\n', at)) != message.npos)
    if (begins_secret(message.substr(++at))) return true;
  return false;
}

void mask_credentials(std::span<char> message) {
  bool in_body = false;
  for (std::size_t at = 0; at < message.size();) {
    const auto* const newline = static_cast<const char*>(std::memchr(message.data() + at, '\n', message.size() - at));
    std::size_t end = newline ? static_cast<std::size_t>(newline - message.data()) + 1 : message.size();
    const char first = message[at];
    if (in_body) {
      if (first == 'a' || first == 'k') mask_key(message.subspan(at, end - at));
    } else if (first == '\r' || first == '\n') {
      in_body = true;
    } else if ((first == 'A' || first == 'a' || first == 'P' || first == 'p') && is_credentials(view(message).substr(at, end - at))) {
      while (end < message.size() && (message[end] == ' ' || message[end] == '\t')) {  // the value goes on
        const std::size_t next = view(message).find('\n', end);
        end = next == std::string_view::npos ? message.size() : next + 1;
      }
      const std::size_t colon = view(message).find(':', at);
      mask_value(message.subspan(colon + 1, end - colon - 1));
    }
    at = end;
  }
}

}  // namespace perdure::trace
