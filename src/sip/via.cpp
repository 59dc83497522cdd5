#include "sip/via.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/params.hpp"

namespace perdure::sip {
namespace {

// Takes a token and the whitespace around it from the front.
std::string_view take_token(std::string_view& rest) {
  rest = chars::trim_left(rest);
  const auto token = rest.substr(0, chars::span(rest, chars::token));
  rest.remove_prefix(token.size());
  return token;
}

bool take(std::string_view& rest, char c) {
  rest = chars::trim_left(rest);
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

bool read_params(Via& via) {
  ParamReader reader(via.params);
  while (const auto param = reader.next()) {
    switch (param->name.size()) {
      case 3:
        if (equals_ignore_case(param->name, "ttl")) {
          via.ttl = chars::number<std::uint8_t>(param->value);
          if (!via.ttl) return false;
        }
        break;
      case 5:
        if (equals_ignore_case(param->name, "rport")) {
          via.has_rport = true;
          via.rport = param->value;
          if (!via.rport.empty() && !chars::number<std::uint16_t>(via.rport)) return false;
        } else if (equals_ignore_case(param->name, "maddr")) {
          via.maddr = param->value;
        }
        break;
      case 6:
        if (equals_ignore_case(param->name, "branch")) {
          via.branch = param->value;
          if (!chars::is_token(via.branch)) return false;
        }
        break;
      case 8:
        if (equals_ignore_case(param->name, "received")) via.received = param->value;
        break;
      default:
        break;
    }
  }
  return !reader.malformed();
}

}  // namespace

std::optional<Via> Via::parse(std::string_view text) {
  Via via;
  via.text = chars::trim(text);
  std::string_view rest = via.text;
  if (take_token(rest).empty() || !take(rest, '/') || take_token(rest).empty()) return std::nullopt;
  via.protocol = via.text.substr(0, via.text.size() - rest.size());
  if (!take(rest, '/')) return std::nullopt;
  via.transport = take_token(rest);
  if (via.transport.empty() || rest.empty() || !chars::is(rest.front(), chars::lws)) return std::nullopt;
  rest = chars::trim_left(rest);
  via.host = rest.substr(0, chars::host_length(rest));
  if (via.host.empty()) return std::nullopt;
  rest.remove_prefix(via.host.size());
  if (take(rest, ':')) {
    rest = chars::trim_left(rest);
    const auto digits = rest.substr(0, chars::span(rest, chars::digit));
    const auto port = chars::number<std::uint16_t>(digits);
    if (!port || *port == 0) return std::nullopt;
    via.port = *port;
    rest = chars::trim_left(rest.substr(digits.size()));
  }
  if (!rest.empty() && rest.front() != ';') return std::nullopt;
  via.params = rest;
  if (!read_params(via)) return std::nullopt;
  return via;
}

}  // namespace perdure::sip
