#include "locate/records.hpp"

#include "base/case.hpp"

namespace perdure::locate {
namespace {

constexpr std::size_t label_bytes_max = 63;

constexpr struct {
  RecordType type;
  std::string_view name;
} types[] = {{RecordType::A, "A"}, {RecordType::Aaaa, "AAAA"}, {RecordType::Srv, "SRV"}, {RecordType::Naptr, "NAPTR"}};

bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::string_view name(RecordType type) {
  for (const auto& one : types)
    if (one.type == type) return one.name;
  return {};
}

std::optional<RecordType> record_type_from(std::string_view text) {
  for (const auto& one : types)
    if (equals_ignore_case(one.name, text)) return one.type;
  return std::nullopt;
}

std::optional<std::string> canonical_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > name_bytes_max) return std::nullopt;
  std::string out;
  out.reserve(text.size());
  std::size_t label = 0;
  for (const char c : text) {
    if (c == '.') {
      if (label == 0) return std::nullopt;
      label = 0;
    } else if (!is_label_char(to_lower(c)) || ++label > label_bytes_max) {
      return std::nullopt;
    }
    out += to_lower(c);
  }
  if (label == 0) return std::nullopt;
  return out;
}

}  // namespace perdure::locate
