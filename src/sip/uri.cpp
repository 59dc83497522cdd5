#include "sip/uri.hpp"

#include "base/case.hpp"
#include "base/socket_address.hpp"
#include "sip/chars.hpp"
#include "sip/params.hpp"

namespace perdure::sip {
namespace {

Scheme scheme_from(std::string_view name) {
  if (name == "sip" || equals_ignore_case(name, "sip")) return Scheme::Sip;
  if (equals_ignore_case(name, "sips")) return Scheme::Sips;
  if (equals_ignore_case(name, "tel")) return Scheme::Tel;
  return Scheme::Other;
}

bool is_userinfo(std::string_view text) {
  return chars::all(text, chars::user) && chars::escapes_valid(text);
}

// ";params" and "?headers" at the end of a sip or tel URI.
bool read_tail(Uri& uri, std::string_view rest) {
  const std::size_t question = rest.find('?');
  uri.params = rest.substr(0, question);
  if (question != std::string_view::npos) {
    uri.has_headers = true;
    uri.headers = rest.substr(question + 1);
    if (!chars::all(uri.headers, chars::header) || !chars::escapes_valid(uri.headers)) return false;
  }
  if (uri.params.empty()) return true;
  return uri.params.front() == ';' && chars::all(uri.params, chars::uri) && params_valid(uri.params) && chars::escapes_valid(uri.params);
}

bool read_sip(Uri& uri, std::string_view rest) {
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view userinfo = rest.substr(0, at);
    const std::size_t colon = userinfo.find(':');
    uri.has_user = true;
    uri.user = userinfo.substr(0, colon);
    if (colon != std::string_view::npos) uri.password = userinfo.substr(colon + 1);
    if (uri.user.empty() || !is_userinfo(uri.user) || !is_userinfo(uri.password)) return false;
    rest.remove_prefix(at + 1);
  }
  uri.host = rest.substr(0, chars::host_length(rest));
  if (uri.host.empty()) return false;
  rest.remove_prefix(uri.host.size());
  if (!rest.empty() && rest.front() == ':') {
    const auto digits = rest.substr(1, chars::span(rest, chars::digit, 1));
    const auto port = chars::number<std::uint16_t>(digits);
    if (!port || *port == 0) return false;
    uri.port = *port;
    rest.remove_prefix(1 + digits.size());
  }
  return read_tail(uri, rest);
}

bool is_separator(char c) {
  return c == '-' || c == '.' || c == '(' || c == ')';
}

// RFC 3966 3: digits, and for local numbers hexadecimal ones, '*' and '#'.
bool read_tel(Uri& uri, std::string_view rest) {
  const std::size_t end = rest.find(';');
  uri.user = rest.substr(0, end);
  uri.has_user = true;
  bool any = false;
  for (std::size_t i = uri.user.starts_with('+') ? 1 : 0; i < uri.user.size(); ++i) {
    const char c = uri.user[i];
    const bool counts = chars::is(c, chars::hex) || c == '*' || c == '#';
    if (!counts && !is_separator(c)) return false;
    any |= counts;
  }
  return any && (end == std::string_view::npos || read_tail(uri, rest.substr(end)));
}

// A character as 19.1.4 compares it: an escaped reserved character is not the character itself.
struct Unit {
  char c;
  bool escaped_reserved;
  bool operator==(const Unit&) const = default;
};

int hex_value(char c) {
  return c <= '9' ? c - '0' : to_lower(c) - 'a' + 10;
}

Unit take_unit(std::string_view text, std::size_t& i, bool fold) {
  char c = text[i++];
  bool reserved = false;
  if (c == '%' && i + 1 < text.size() && chars::is(text[i], chars::hex) && chars::is(text[i + 1], chars::hex)) {
    c = static_cast<char>(hex_value(text[i]) * 16 + hex_value(text[i + 1]));
    i += 2;
    reserved = std::string_view(";/?:@&=+$,").find(c) != std::string_view::npos;
  }
  return {fold ? to_lower(c) : c, reserved};
}

bool same(std::string_view a, std::string_view b, bool fold) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size())
    if (take_unit(a, i, fold) != take_unit(b, j, fold)) return false;
  return i == a.size() && j == b.size();
}

std::optional<std::string_view> find_uri_param(std::string_view params, std::string_view name) {
  ParamReader reader(params);
  while (const auto param = reader.next())
    if (same(param->name, name, true)) return param->value;
  return std::nullopt;
}

// Every parameter of `a` that `b` has too has the same value; one that `b` lacks may be ignored unless it decides where a request goes.
bool params_match(const Uri& a, const Uri& b, bool ignore_unknown) {
  ParamReader reader(a.params);
  while (const auto param = reader.next()) {
    const auto other = find_uri_param(b.params, param->name);
    if (other) {
      if (!same(param->value, *other, true)) return false;
      continue;
    }
    if (!ignore_unknown) return false;
    for (const std::string_view decisive : {"user", "ttl", "method", "maddr", "transport"})
      if (same(param->name, decisive, true)) return false;
  }
  return true;
}

// The next "name=value" of a headers part.
bool take_header(std::string_view& rest, std::string_view& name, std::string_view& value) {
  if (rest.empty()) return false;
  const std::size_t end = rest.find('&');
  const std::string_view item = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  const std::size_t equals = item.find('=');
  name = item.substr(0, equals);
  value = equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1);
  return true;
}

std::size_t count_header(std::string_view headers, std::string_view wanted_name, std::string_view wanted_value) {
  std::size_t count = 0;
  std::string_view name, value;
  while (take_header(headers, name, value)) count += same(name, wanted_name, true) && same(value, wanted_value, false);
  return count;
}

bool headers_match(std::string_view a, std::string_view b) {
  std::size_t size_a = 0, size_b = 0;
  std::string_view rest = a, name, value;
  while (take_header(rest, name, value)) {
    ++size_a;
    if (count_header(a, name, value) != count_header(b, name, value)) return false;
  }
  for (rest = b; take_header(rest, name, value);) ++size_b;
  return size_a == size_b;
}

bool same_number(std::string_view a, std::string_view b) {
  std::size_t i = 0, j = 0;
  while (true) {
    while (i < a.size() && is_separator(a[i])) ++i;
    while (j < b.size() && is_separator(b[j])) ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (to_lower(a[i++]) != to_lower(b[j++])) return false;
  }
}

// RFC 5954 4.2: IPv6 addresses are the same however they are written.
bool same_host(std::string_view a, std::string_view b) {
  if (equals_ignore_case(a, b)) return true;
  if (!a.starts_with('[') || !b.starts_with('[')) return false;
  const auto first = SocketAddress::parse(a, 0), second = SocketAddress::parse(b, 0);
  return first && second && first->same_ip(*second);
}

}  // namespace

std::optional<Uri> Uri::parse(std::string_view text) {
  const std::size_t length = chars::span(text, chars::scheme);
  if (length == 0 || length >= text.size() || text[length] != ':' || !chars::is(text.front(), chars::alpha)) return std::nullopt;
  // That nothing in it can end or break a URI is seen on the way: the classes of user, host and headers are narrower.
  Uri uri;
  uri.scheme_name = text.substr(0, length);
  uri.scheme = scheme_from(uri.scheme_name);
  const std::string_view rest = text.substr(length + 1);
  if (rest.empty()) return std::nullopt;
  switch (uri.scheme) {
    case Scheme::Sip:
    case Scheme::Sips:
      if (!read_sip(uri, rest)) return std::nullopt;
      break;
    case Scheme::Tel:
      if (!read_tel(uri, rest)) return std::nullopt;
      break;
    case Scheme::Other:
      if (!chars::all(rest, chars::uri)) return std::nullopt;
      uri.opaque = rest;
      break;
  }
  return uri;
}

std::optional<std::string_view> Uri::param(std::string_view name) const {
  return find_uri_param(params, name);
}

std::string_view Uri::host_without_brackets() const {
  return host.size() > 2 && host.front() == '[' ? host.substr(1, host.size() - 2) : host;
}

bool equivalent(const Uri& a, const Uri& b) {
  if (a.scheme != b.scheme) return false;
  switch (a.scheme) {
    case Scheme::Sip:
    case Scheme::Sips:
      return a.has_user == b.has_user && same(a.user, b.user, false) && same(a.password, b.password, false) && same_host(a.host, b.host) &&
             a.port == b.port && params_match(a, b, true) && params_match(b, a, true) && headers_match(a.headers, b.headers);
    case Scheme::Tel:
      return same_number(a.user, b.user) && params_match(a, b, false) && params_match(b, a, false);
    case Scheme::Other:
      break;
  }
  return equals_ignore_case(a.scheme_name, b.scheme_name) && a.opaque == b.opaque;
}

std::optional<std::string_view> unescape(std::string_view text, std::span<char> out) {
  if (!chars::escapes_valid(text)) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (size == out.size()) return std::nullopt;
    out[size++] = take_unit(text, i, false).c;
  }
  return std::string_view(out.data(), size);
}

}  // namespace perdure::sip
