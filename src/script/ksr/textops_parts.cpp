// KSR.textops: bodies of several parts (RFC 2046 5.1, RFC 5621).
#include <optional>

#include "base/case.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/chars.hpp"
#include "sip/multipart.hpp"

namespace perdure::script {
namespace {

constexpr std::string_view default_boundary = "unique-boundary-1";

std::optional<std::string> boundary_of(const sip::Message& message) {
  const auto* type = message.find(sip::HeaderName::ContentType);
  const auto boundary = type ? sip::multipart_boundary(message.value(*type)) : std::nullopt;
  return boundary ? std::optional<std::string>(*boundary) : std::nullopt;
}

// Where a part stands in the body: from its delimiter to the next one. `content_end`: without the line end before that.
struct Place {
  std::size_t delimiter = 0, begin = 0, content_end = 0, next_delimiter = 0;
  std::string_view content;
};

std::optional<Place> place_of(std::string_view body, const sip::BodyPart& part) {
  Place place;
  place.content = part.content;
  place.begin = static_cast<std::size_t>(part.headers.data() - body.data());
  place.content_end = (part.content.data() ? static_cast<std::size_t>(part.content.data() - body.data()) + part.content.size()
                                           : place.begin + part.headers.size());
  place.next_delimiter = body.find("--", place.content_end);
  const std::size_t line_before = place.begin >= 2 ? body.rfind('\n', place.begin - 2) : std::string_view::npos;
  place.delimiter = line_before == std::string_view::npos ? 0 : line_before + 1;
  if (place.next_delimiter == std::string_view::npos) return std::nullopt;
  return place;
}

// Without parameters.
bool has_type(const sip::BodyPart& part, std::string_view type) {
  const std::string_view found = part.header("Content-Type");
  return equals_ignore_case(sip::chars::trim(found.substr(0, found.find(';'))), sip::chars::trim(type.substr(0, type.find(';'))));
}

// The first part of that type, the last one for an empty type.
std::optional<Place> find_place(std::string_view body, std::string_view boundary, std::string_view type) {
  std::optional<Place> found;
  sip::PartReader reader(body, boundary);
  while (const auto part = reader.next()) {
    if (!type.empty() && !has_type(*part, type)) continue;
    found = place_of(body, *part);
    if (!type.empty()) break;
  }
  return found;
}

std::uint32_t offset(const Call& call, std::size_t in_body) {
  const auto& message = call.message();
  return static_cast<std::uint32_t>(message.bytes().size() - message.body().size() + in_body);
}

// Headers and content of a part; nullopt after call.fail().
std::optional<std::string> part_text(Call& call, std::string_view content, std::string_view type, std::string_view disposition) {
  auto headers = header_lines(call, "Content-Type: " + std::string(type));
  if (!headers) return std::nullopt;
  if (!disposition.empty()) {
    const auto line = header_lines(call, "Content-Disposition: " + std::string(disposition));
    if (!line) return std::nullopt;
    *headers += *line;
  }
  return *headers + "\r\n" + std::string(content) + "\r\n";
}

bool contains_delimiter(std::string_view text, std::string_view boundary) {
  return text.find("--" + std::string(boundary)) != std::string_view::npos;
}

int append_part(Call& call, std::string_view content, std::string_view type, std::string_view disposition) {
  const std::string_view body = call.message().body();
  const auto boundary = boundary_of(call.message());
  const auto last = boundary ? find_place(body, *boundary, {}) : std::nullopt;
  if (!last) return -1;
  const auto text = part_text(call, content, type, disposition);
  if (!text) return -1;
  if (contains_delimiter(*text, *boundary)) return call.fail("the part contains the boundary");
  const auto at = offset(call, last->next_delimiter);
  call.context().edits->replace_range(at, at, "--" + *boundary + "\r\n" + *text);
  return 1;
}

// Pairs of digits, blanks between them; nullopt: it is none.
std::optional<std::string> from_hex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const std::size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(c >= 'A' && c <= 'F' ? c | 0x20 : c));
    if (digit == std::string_view::npos) return std::nullopt;
    if (high >= 0) out += static_cast<char>(high << 4 | static_cast<int>(digit));
    high = high >= 0 ? -1 : static_cast<int>(digit);
  }
  return high >= 0 ? std::nullopt : std::optional(out);
}

int append_hex_part(Call& call) {
  const auto content = from_hex(call.text(0));
  return content ? append_part(call, *content, call.text(1), call.text(2)) : -1;
}

int remove_part(Call& call) {
  const auto boundary = boundary_of(call.message());
  const auto place = boundary && !call.text(0).empty() ? find_place(call.message().body(), *boundary, call.text(0)) : std::nullopt;
  if (!place) return -1;
  call.context().edits->replace_range(offset(call, place->delimiter), offset(call, place->next_delimiter), {});
  return 1;
}

int give_part(Call& call, bool raw) {
  std::string error;
  const auto* variable = call.vm.pseudo_variable(call.text(1), error);
  if (!variable) return call.fail(std::move(error));
  const std::string_view body = call.message().body();
  std::string_view found = body;
  if (const auto boundary = boundary_of(call.message())) {
    const auto place = call.text(0).empty() ? std::nullopt : find_place(body, *boundary, call.text(0));
    if (!place) return -1;
    const std::size_t line_end = body.find('\n', place->next_delimiter);
    found =
        raw ? body.substr(place->begin, (line_end == std::string_view::npos ? body.size() : line_end + 1) - place->begin) : place->content;
  } else if (body.empty()) {
    return -1;
  }
  const Value value = Value::of(found);
  return set_value(call, *variable, &value) ? 1 : -1;
}

// One part in a body of several.
int set_multipart(Call& call, std::string_view content, std::string_view type, std::string_view boundary) {
  const std::string named = "multipart/mixed;boundary=\"" + std::string(boundary) + "\"";
  if (!is_one_line(named) || !sip::multipart_boundary(named)) return call.fail("\"" + std::string(boundary) + "\" is no boundary");
  const auto text = part_text(call, content, type, {});
  if (!text) return -1;
  if (contains_delimiter(*text, boundary)) return call.fail("the part contains the boundary");
  call.context().edits->set_body(named, "--" + std::string(boundary) + "\r\n" + *text + "--" + std::string(boundary) + "--\r\n");
  if (!header_at(call.message(), "MIME-Version", 0)) call.context().edits->append("MIME-Version: 1.0\r\n");
  return 1;
}

// The body that there is becomes the only part.
int convert(Call& call, std::string_view boundary) {
  const auto& message = call.message();
  if (boundary_of(message)) return 1;
  const auto* type = message.find(sip::HeaderName::ContentType);
  if (message.body().empty() || !type) return -1;
  return set_multipart(call, message.body(), message.value(*type), boundary);
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view well_formed = "The body ends with its closing delimiter. A text that contains the boundary is a script error.";
constexpr std::string_view of_multipart = "A text that contains the boundary is a script error.";
constexpr std::string_view as_written = "What is there when the callback begins; parts added since are seen after msg_apply_changes.";

const Function table[] = {
    {"textops", "set_body_multipart_mode", "", integer, routes::any,
     "The body becomes the only part of a multipart/mixed body with the boundary `unique-boundary-1`. 1 also if it is multipart already; "
     "-1: "
     "there is no body.",
     well_formed, [](Call& call) { return convert(call, default_boundary); }},
    {"textops", "set_body_multipart_boundary", "string boundary", integer, routes::any, "The same with a boundary of yours.", well_formed,
     [](Call& call) { return convert(call, call.text(0)); }},
    {"textops", "set_body_multipart_content", "string text, string type", integer, routes::any,
     "Gives the message a multipart/mixed body with this one part.", well_formed,
     [](Call& call) { return set_multipart(call, call.text(0), call.text(1), default_boundary); }},
    {"textops", "set_body_multipart", "string text, string type, string boundary", integer, routes::any,
     "The same with a boundary of yours.", well_formed,
     [](Call& call) { return set_multipart(call, call.text(0), call.text(1), call.text(2)); }},
    {"textops", "append_body_part", "string text, string type", integer, routes::any,
     "Appends a part to a multipart body; further headers may follow the type, each after a line end. -1: the body is none.", of_multipart,
     [](Call& call) { return append_part(call, call.text(0), call.text(1), {}); }},
    {"textops", "append_body_part_cd", "string text, string type, string disposition", integer, routes::any,
     "The same with a Content-Disposition.", of_multipart,
     [](Call& call) { return append_part(call, call.text(0), call.text(1), call.text(2)); }},
    {"textops", "append_body_part_hex", "string digits, string type", integer, routes::any,
     "append_body_part with the content in hexadecimal; blanks are passed over.", of_multipart, append_hex_part},
    {"textops", "append_body_part_hex_cd", "string digits, string type, string disposition", integer, routes::any,
     "The same with a Content-Disposition.", of_multipart, append_hex_part},
    {"textops", "remove_body_part", "string type", integer, routes::any, "Removes the first part of that type; -1: there is none.",
     as_written, remove_part},
    {"textops", "get_body_part", "string type, string variable", integer, routes::any,
     "Sets a variable to the content of the first part of that type, or to the whole body if it is not multipart; -1: there is none.",
     "Without the part's headers, whatever they are, and without the line end before the next delimiter.",
     [](Call& call) { return give_part(call, false); }},
    {"textops", "get_body_part_raw", "string type, string variable", integer, routes::any,
     "The same with the part's headers and the delimiter that follows.", "", [](Call& call) { return give_part(call, true); }},
};

}  // namespace

std::span<const Function> textops_part_functions() {
  return table;
}

}  // namespace perdure::script
