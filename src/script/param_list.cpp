#include "script/param_list.hpp"

#include "sip/chars.hpp"

namespace perdure::script {

std::optional<ListedParam> ParamList::next() {
  while (!rest_.empty()) {
    std::size_t end = 0;
    for (char quote = '\0'; end < rest_.size() && (quote || rest_[end] != separator_); ++end) {
      const char c = rest_[end];
      if (quote ? c == quote : (c == '"' || c == '\'') && end > 0 && rest_[end - 1] == '=') quote = quote ? '\0' : c;
    }
    const std::string_view piece = sip::chars::trim(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (piece.empty()) continue;
    const std::size_t equals = piece.find('=');
    ListedParam param{sip::chars::trim_right(piece.substr(0, equals)), {}};
    if (equals != std::string_view::npos) param.value = sip::chars::trim_left(piece.substr(equals + 1));
    const bool quoted =
        param.value.size() >= 2 && (param.value.front() == '"' || param.value.front() == '\'') && param.value.front() == param.value.back();
    if (quoted) param.value = param.value.substr(1, param.value.size() - 2);
    return param;
  }
  return std::nullopt;
}

}  // namespace perdure::script
