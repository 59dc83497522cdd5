#include "sip/values.hpp"

#include "sip/chars.hpp"

namespace perdure::sip {
namespace {

// The first comma at or after `from` that separates values, or the end. An unbalanced quote or bracket takes the rest of the line.
std::size_t separator(std::string_view text, std::size_t from) {
  // Most lines have one value.
  if (text.find(',', from) == std::string_view::npos) return text.size();
  bool bracket = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        if (!bracket) {
          const std::size_t length = chars::quoted_string(text.substr(i));
          if (length == 0) return text.size();
          i += length - 1;
        }
        break;
      case '<':
        bracket = true;
        break;
      case '>':
        bracket = false;
        break;
      case ',':
        if (!bracket) return i;
        break;
      default:
        break;
    }
  }
  return text.size();
}

// Past whitespace and empty elements.
std::size_t value_start(std::string_view text, std::size_t from) {
  while (from < text.size() && (chars::is(text[from], chars::lws) || text[from] == ',')) ++from;
  return from;
}

}  // namespace

ValueRange::Iterator::Iterator(std::string_view bytes, std::span<const HeaderField> fields, HeaderName header)
    : bytes_(bytes), fields_(fields), header_(header) {
  start_line();
}

void ValueRange::Iterator::start_line() {
  value_ = {};
  for (; !fields_.empty(); fields_ = fields_.subspan(1)) {
    const HeaderField& field = fields_.front();
    if (field.name != header_) continue;
    const std::string_view line = bytes_.substr(0, field.value_end);
    const std::size_t begin = value_start(line, field.value_begin);
    if (begin == line.size()) continue;
    value_.field = &field;
    value_.next_begin = static_cast<std::uint32_t>(begin);
    ++*this;
    return;
  }
}

ValueRange::Iterator& ValueRange::Iterator::operator++() {
  if (value_.next_begin == 0) {
    fields_ = fields_.subspan(1);
    start_line();
    return *this;
  }
  const std::string_view line = bytes_.substr(0, value_.field->value_end);
  const std::size_t begin = value_.next_begin;
  const std::size_t comma = separator(line, begin);
  value_.text = chars::trim_right(line.substr(begin, comma - begin));
  value_.previous_end = value_.end;
  value_.begin = static_cast<std::uint32_t>(begin);
  value_.end = static_cast<std::uint32_t>(begin + value_.text.size());
  const std::size_t next = value_start(line, comma);
  value_.next_begin = next < line.size() ? static_cast<std::uint32_t>(next) : 0;
  value_.only_in_line = value_.previous_end == 0 && value_.next_begin == 0;
  return *this;
}

}  // namespace perdure::sip
