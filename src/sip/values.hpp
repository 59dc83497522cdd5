#pragma once
// Header lines by offset, and the comma-separated values in them (RFC 3261 7.3.1), in place.
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

#include "sip/header_name.hpp"

namespace perdure::sip {

// One header field, with the lines that it is folded over. Offsets into Message::bytes().
struct HeaderField {
  HeaderName name;
  std::uint32_t begin, end;  // whole lines, with the line end of the last
  std::uint32_t name_length;
  std::uint32_t value_begin, value_end;  // trimmed, may contain folds
};

// One value of a comma-separated header. Views and pointers live as long as the message.
struct Value {
  std::string_view text;    // trimmed, never empty
  std::uint32_t begin = 0;  // offsets of `text` in Message::bytes()
  std::uint32_t end = 0;
  std::uint32_t previous_end = 0;  // where the value before it in the same line ends, 0: it is the first
  std::uint32_t next_begin = 0;    // where the next value in the same line begins, 0: it is the last
  const HeaderField* field = nullptr;
  bool only_in_line = false;
};

// for (const Value& value : message.values(HeaderName::Route)). Commas in quoted strings and angle brackets do not separate.
class ValueRange {
 public:
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(std::string_view bytes, std::span<const HeaderField> fields, HeaderName header);
    const Value& operator*() const { return value_; }
    const Value* operator->() const { return &value_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) { return iterator.value_.field == nullptr; }

   private:
    void start_line();
    std::string_view bytes_;
    std::span<const HeaderField> fields_;  // from the current one on
    HeaderName header_ = HeaderName::Other;
    Value value_;
  };

  ValueRange(std::string_view bytes, std::span<const HeaderField> fields, HeaderName header)
      : bytes_(bytes), fields_(fields), header_(header) {}
  [[nodiscard]] Iterator begin() const { return {bytes_, fields_, header_}; }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  std::string_view bytes_;
  std::span<const HeaderField> fields_;
  HeaderName header_;
};

}  // namespace perdure::sip
