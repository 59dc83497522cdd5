#pragma once
// KSR.textops: changes of the text of a message by expression, and what is found in it. Helpers that other modules use, too.
#include <cstdint>
#include <optional>
#include <string_view>

#include "script/ksr/function.hpp"

namespace perdure::script {

// What of a message a function works on; never its first line.
enum class Part : std::uint8_t { Message, Headers, Body };

int search_append(Call& call, Part part);
int replace_expression(Call& call, Part part, bool all);
int replace_text(Call& call, Part part);
int substitute_message(Call& call);
int remove_header_by_value(Call& call);
int filter_body(Call& call);
int regex_substring(Call& call);
int set_reply_body(Call& call);

// A message cannot do without such a header, or the proxy itself works on it.
[[nodiscard]] bool is_needed(sip::HeaderName name);

}  // namespace perdure::script
