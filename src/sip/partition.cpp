#include "sip/partition.hpp"

#include "base/case.hpp"
#include "base/checksum.hpp"

namespace perdure::sip {

std::uint32_t partition_of(std::string_view message, std::uint32_t partition_count) {
  // The first header line named Call-ID or i; no full parse, since another worker may do that.
  std::size_t line = message.find('\n');
  while (line != std::string_view::npos && line + 1 < message.size()) {
    const std::size_t begin = line + 1;
    line = message.find('\n', begin);
    const char first = to_lower(message[begin]);
    if (first == '\r' || first == '\n') break;
    if (first != 'c' && first != 'i') continue;
    std::string_view text = message.substr(begin, (line == std::string_view::npos ? message.size() : line) - begin);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view header = text.substr(0, colon);
    while (!header.empty() && (header.back() == ' ' || header.back() == '\t')) header.remove_suffix(1);
    if (!equals_ignore_case(header, "call-id") && !equals_ignore_case(header, "i")) continue;
    text.remove_prefix(colon + 1);
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return static_cast<std::uint32_t>(checksum(text) % partition_count);
  }
  return 0;
}

}  // namespace perdure::sip
