// KSR.hdr: headers. Changes go to the message when it is forwarded; hdr.get sees it as it was received, as in Kamailio.
#include "base/case.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/uri_access.hpp"

namespace perdure::script {

// "Name: value\r\n" lines without an empty one; a missing line end is added.
std::optional<std::string> header_lines(Call& call, std::string_view text) {
  std::string lines(text);
  while (lines.ends_with('\n') || lines.ends_with('\r')) lines.pop_back();
  std::size_t begin = 0;
  bool good = !lines.empty() && lines.find('\0') == std::string::npos;
  while (good && begin < lines.size()) {
    std::size_t end = lines.find('\n', begin);
    if (end == std::string::npos) end = lines.size();
    const std::string_view line(lines.data() + begin, end - begin);
    const bool folded = begin > 0 && (line.starts_with(' ') || line.starts_with('\t'));
    const std::size_t colon = line.find(':');
    good = folded || (colon != std::string_view::npos && colon > 0);
    begin = end + 1;
  }
  if (!good) {
    (void)call.fail("\"" + std::string(text) + "\" is no header line");
    return std::nullopt;
  }
  lines += "\r\n";
  return lines;
}

int remove_header(Call& call, std::string_view name) {
  auto& context = call.context();
  const auto known = sip::header_name_from(name);
  using enum sip::HeaderName;
  for (const auto needed : {Via, From, To, CallId, CSeq, MaxForwards, ContentLength})
    if (known == needed) return call.fail("a message cannot do without " + std::string(name));
  if (known == Route) {  // a request without Route goes to its destination URI or Request-URI
    std::size_t values = 0;
    for ([[maybe_unused]] const auto& value : context.message->values(Route)) ++values;
    context.routes_removed = static_cast<std::uint8_t>(std::min<std::size_t>(values, 255));
  }
  for (int i = 0;; ++i) {
    const auto* field = header_at(*context.message, name, i);
    if (!field) return 1;
    context.edits->remove(*field);
  }
}

int append_header(Call& call, std::string_view text) {
  const auto lines = header_lines(call, text);
  if (!lines) return -1;
  call.context().edits->append(*lines);
  return 1;
}

int header_present(const Call& call, std::string_view name) {
  return header_at(call.message(), name, 0) ? 1 : -1;
}

namespace {

int insert(Call& call, std::string_view text) {
  const auto lines = header_lines(call, text);
  if (!lines) return -1;
  call.context().edits->insert_at_top(*lines);
  return 1;
}

int insert_before(Call& call) {
  const auto* field = header_at(call.message(), call.text(1), 0);
  if (!field) return insert(call, call.text(0));
  const auto lines = header_lines(call, call.text(0));
  if (!lines) return -1;
  call.context().edits->insert_line_before(*field, *lines);
  return 1;
}

int append_after(Call& call) {
  const auto* field = header_at(call.message(), call.text(1), 0);
  const auto headers = call.message().headers();
  if (!field || field == &headers.back()) return append_header(call, call.text(0));
  const auto lines = header_lines(call, call.text(0));
  if (!lines) return -1;
  call.context().edits->insert_line_before(field[1], *lines);
  return 1;
}

int append_to_reply(Call& call) {
  const auto lines = header_lines(call, call.text(0));
  if (!lines) return -1;
  call.context().upstream_headers += *lines;
  return 1;
}

int get(Call& call, int index, const char* otherwise) {
  if (const auto* field = header_at(call.message(), call.text(0), index)) return call.give(call.message().value(*field));
  return otherwise ? call.give(std::string_view(otherwise)) : 1;
}

int match_content(Call& call) {
  const auto operation = call.text(1), wanted = call.text(2), which = call.text(3);
  const auto matches = [&](std::string_view value) {
    if (operation == "eq") return equals_ignore_case(value, wanted);
    if (operation == "ne") return !equals_ignore_case(value, wanted);
    if (value.size() < wanted.size()) return false;
    if (operation == "sw") return equals_ignore_case(value.substr(0, wanted.size()), wanted);
    for (std::size_t i = 0; i + wanted.size() <= value.size(); ++i)
      if (equals_ignore_case(value.substr(i, wanted.size()), wanted)) return true;
    return false;
  };
  if (operation != "eq" && operation != "ne" && operation != "sw" && operation != "in")
    return call.fail("the operator is eq, ne, sw or in");
  const char scope = which.empty() ? ' ' : to_lower(which.front());
  if (scope != 'f' && scope != 'l' && scope != 'a' && scope != 'o') return call.fail("the last argument is f, l, a or o");
  const auto count = static_cast<int>(header_count(call.message(), call.text(0)));
  if (count == 0) return -1;
  int found = 0;
  for (int i = 0; i < count; ++i) {
    const bool match = matches(call.message().value(*header_at(call.message(), call.text(0), i)));
    if ((scope == 'f' && i == 0) || (scope == 'l' && i == count - 1)) return match ? 1 : -1;
    found += match;
  }
  return scope == 'a' ? (found == count ? 1 : -1) : (found ? 1 : -1);
}

constexpr auto integer = Returns::Integer;
constexpr auto value = Returns::Value;
constexpr std::string_view checked = "A text that is no header line is a script error; a missing line end is added.";

const Function table[] = {
    {"hdr", "append", "string lines", integer, routes::any, "Appends header lines below all others.", checked,
     [](Call& call) { return append_header(call, call.text(0)); }},
    {"hdr", "append_after", "string lines, string name", integer, routes::any,
     "Appends header lines after the first header of that name, or below all.", checked, append_after},
    {"hdr", "insert", "string lines", integer, routes::any, "Inserts header lines above all others.", checked,
     [](Call& call) { return insert(call, call.text(0)); }},
    {"hdr", "insert_before", "string lines, string name", integer, routes::any,
     "Inserts header lines before the first header of that name, or above all.", checked, insert_before},
    {"hdr", "remove", "string name", integer, routes::any, "Removes all headers of that name.",
     "Via, From, To, Call-ID, CSeq, Max-Forwards and Content-Length cannot be removed: a script error.",
     [](Call& call) { return remove_header(call, call.text(0)); }},
    {"hdr", "rmappend", "string name, string lines", integer, routes::any, "hdr.remove, then hdr.append.", "",
     [](Call& call) { return remove_header(call, call.text(0)) < 0 ? -1 : append_header(call, call.text(1)); }},
    {"hdr", "rminsert", "string name, string lines", integer, routes::any, "hdr.remove, then hdr.insert.", "",
     [](Call& call) { return remove_header(call, call.text(0)) < 0 ? -1 : insert(call, call.text(1)); }},
    {"hdr", "is_present", "string name", integer, routes::any, "The message came with a header of that name.", "",
     [](Call& call) { return header_present(call, call.text(0)); }},
    {"hdr", "append_to_reply", "string lines", integer, routes::answering,
     "Adds header lines to the replies that are made here, and to the failure that is passed on.", checked, append_to_reply},
    {"hdr", "get", "string name", value, routes::any, "The value of the first header of that name, nil if there is none.", "",
     [](Call& call) { return get(call, 0, nullptr); }},
    {"hdr", "gete", "string name", value, routes::any, "The same, but an empty text if there is none.", "",
     [](Call& call) { return get(call, 0, ""); }},
    {"hdr", "getw", "string name", value, routes::any, "The same, but `<null>` if there is none.", "",
     [](Call& call) { return get(call, 0, "<null>"); }},
    {"hdr", "get_idx", "string name, int index", value, routes::any,
     "The value of the header of that name with that index, from 0; negative counts from the last; nil if there is none.", "",
     [](Call& call) { return get(call, static_cast<int>(call.number(1)), nullptr); }},
    {"hdr", "gete_idx", "string name, int index", value, routes::any, "The same, but an empty text if there is none.", "",
     [](Call& call) { return get(call, static_cast<int>(call.number(1)), ""); }},
    {"hdr", "getw_idx", "string name, int index", value, routes::any, "The same, but `<null>` if there is none.", "",
     [](Call& call) { return get(call, static_cast<int>(call.number(1)), "<null>"); }},
    {"hdr", "match_content", "string name, string operator, string text, string which", Returns::Boolean, routes::any,
     "Compares header values without case: operator eq, ne, sw (starts with) or in (contains); which: f first, l last, a all, o one at "
     "least.",
     "", match_content},
};

}  // namespace

std::span<const Function> hdr_functions() {
  return table;
}

}  // namespace perdure::script
