#pragma once
// An expression of Lua evaluated in the request route, its value as "type value", line breaks as \r and \n.
#include "bench.hpp"

namespace perdure::script {

inline std::string evaluate(const std::string& expression, const Request& request = {}, const std::string& before = {}) {
  Bench bench("function named() end\nfunction ksr_request_route()\n" + before + "\nlocal value = " + expression +
              "\nvalue = type(value) .. ' ' .. tostring(value):gsub('\\r', '\\\\r'):gsub('\\n', '\\\\n')\n"
              "KSR.hdr.append_to_reply('X-Value: ' .. value .. '\\r\\n')\nKSR.sl.send_reply(299, 'Done')\nend\n");
  const auto sent = bench.receive(request);
  if (bench.runner().counters().errors) return "error " + bench.runner().counters().last_error;
  const auto* answer = first(sent, "SIP/2.0 299");
  return answer ? answer->header("X-Value") : "no answer";
}

// A text as a string of Lua.
inline std::string lua_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c == '\r' ? std::string("\\r") : c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + "'";
}

}  // namespace perdure::script
