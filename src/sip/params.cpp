#include "sip/params.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"

namespace perdure::sip {

std::optional<Param> ParamReader::next() {
  rest_ = chars::trim_left(rest_);
  if (rest_.empty()) return std::nullopt;
  malformed_ = true;  // until this one has been read to its end
  if (rest_.front() != ';') return std::nullopt;
  rest_ = chars::trim_left(rest_.substr(1));
  // One class for generic-param and uri-parameter: who wants a token gets no harm from a '/' in a name.
  const std::string_view whole = rest_;
  Param param;
  const std::size_t name_length = chars::span(rest_, chars::token | chars::param);
  if (name_length == 0) return std::nullopt;
  param.name = rest_.substr(0, name_length);
  std::size_t position = name_length;
  std::size_t end = position;
  position += chars::span(rest_, chars::lws, position);
  if (position < rest_.size() && rest_[position] == '=') {
    ++position;
    position += chars::span(rest_, chars::lws, position);
    const bool quoted = position < rest_.size() && rest_[position] == '"';
    const std::size_t length =
        quoted ? chars::quoted_string(rest_.substr(position)) : chars::span(rest_, chars::token | chars::value | chars::param, position);
    if (quoted && length == 0) return std::nullopt;
    param.value = rest_.substr(position, length);
    param.has_value = true;
    position += length;
    end = position;
    position += chars::span(rest_, chars::lws, position);
  }
  if (position < rest_.size() && rest_[position] != ';') return std::nullopt;
  param.text = whole.substr(0, end);
  rest_.remove_prefix(position);
  malformed_ = false;
  return param;
}

bool params_valid(std::string_view params) {
  ParamReader reader(params);
  while (reader.next()) {
  }
  return !reader.malformed();
}

std::optional<std::string_view> find_param(std::string_view params, std::string_view name) {
  ParamReader reader(params);
  while (const auto param = reader.next())
    if (equals_ignore_case(param->name, name)) return param->value;
  return std::nullopt;
}

}  // namespace perdure::sip
