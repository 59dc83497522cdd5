#include "base/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/assert.hpp"

namespace perdure {
namespace {

// Steps of one match: a number takes some tens. Beyond it an expression like (a+)+b has run into its worst case.
constexpr std::uint32_t match_limit = 100'000, heap_limit_kib = 1024;

// What a match works with, one for each thread.
struct Room {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_match_data* data = pcre2_match_data_create(32, nullptr);
  Room() {
    PERDURE_ASSERT(context && data);
    pcre2_set_match_limit(context, match_limit);
    pcre2_set_heap_limit(context, heap_limit_kib);
  }
  ~Room() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
};

}  // namespace

void Regex::Free::operator()(pcre2_real_code_8* code) const {
  pcre2_code_free(code);
}

Result<Regex> Regex::compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  Regex regex;
  regex.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &error, &at, nullptr));
  if (regex.code_) return regex;
  PCRE2_UCHAR text[160];
  pcre2_get_error_message(error, text, sizeof text);
  return fail("'" + std::string(pattern) + "' is no regular expression: " + reinterpret_cast<const char*>(text) + " (at character " +
              std::to_string(at + 1) + ")");
}

Regex::Match Regex::match(std::string_view text) const {
  thread_local Room room;
  Match result;
  const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, room.data, room.context);
  if (count < 0) {
    result.too_long = count != PCRE2_ERROR_NOMATCH;
    return result;
  }
  result.matched = true;
  const PCRE2_SIZE* const offsets = pcre2_get_ovector_pointer(room.data);
  const std::uint32_t most = count == 0 ? pcre2_get_ovector_count(room.data) : static_cast<std::uint32_t>(count);
  for (std::uint32_t i = 0; i < most; ++i) {
    const PCRE2_SIZE begin = offsets[2 * i], end = offsets[2 * i + 1];
    result.groups.push_back(begin == PCRE2_UNSET || end < begin ? std::string_view{} : text.substr(begin, end - begin));
  }
  return result;
}

}  // namespace perdure
