#include "sip/name_addr.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/params.hpp"

namespace perdure::sip {
namespace {

// "scheme:something" without anything that could end or break it.
bool is_uri(std::string_view text) {
  const std::size_t scheme = chars::span(text, chars::scheme);
  return scheme > 0 && chars::is(text.front(), chars::alpha) && scheme + 1 < text.size() && text[scheme] == ':' &&
         chars::all(text, chars::uri);
}

}  // namespace

std::optional<NameAddr> NameAddr::parse(std::string_view text) {
  text = chars::trim(text);
  NameAddr address;
  std::string_view rest = text;
  if (!rest.empty() && rest.front() == '"') {
    const std::size_t length = chars::quoted_string(rest);
    if (length == 0) return std::nullopt;
    address.display = rest.substr(0, length);
    rest = chars::trim_left(rest.substr(length));
    if (rest.empty() || rest.front() != '<') return std::nullopt;
  } else {
    // A '"' or ';' before the '<' means that the '<' is inside a parameter, or that quotes are not balanced.
    std::size_t stop = 0;
    while (stop < rest.size() && rest[stop] != '<' && rest[stop] != '"' && rest[stop] != ';') ++stop;
    if (stop < rest.size() && rest[stop] == '<') {
      address.display = chars::trim_right(rest.substr(0, stop));
      // RFC 4475 3.1.2.15: a proxy must not pass this on. A comma is what the next hop could take for the end of a value.
      if (address.display.find(',') != std::string_view::npos) return std::nullopt;
      rest.remove_prefix(stop);
    }
  }
  if (!rest.empty() && rest.front() == '<') {
    const std::size_t close = rest.find('>');
    if (close == std::string_view::npos) return std::nullopt;
    address.bracketed = true;
    address.uri = rest.substr(1, close - 1);
    rest = chars::trim_left(rest.substr(close + 1));
  } else {
    const std::size_t end = rest.find(';');
    address.uri = chars::trim_right(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
    if (address.uri.find_first_of(",?") != std::string_view::npos) return std::nullopt;
  }
  if (!is_uri(address.uri)) return std::nullopt;
  address.params = rest;
  ParamReader reader(rest);
  while (const auto param = reader.next())
    if (param->name.size() == 3 && address.tag.empty() && equals_ignore_case(param->name, "tag")) address.tag = param->value;
  if (reader.malformed()) return std::nullopt;
  return address;
}

std::optional<std::string_view> NameAddr::param(std::string_view name) const {
  return find_param(params, name);
}

}  // namespace perdure::sip
