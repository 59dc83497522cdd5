#include "script/text_template.hpp"

#include "script/vm.hpp"

namespace perdure::script {

Result<TextTemplate> TextTemplate::parse(std::string_view text, unsigned depth) {
  TextTemplate result;
  std::string plain;
  const auto end_plain = [&] {
    if (!plain.empty()) result.pieces_.emplace_back(std::move(plain));
    plain.clear();
  };
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    plain += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      plain += '$';
      text.remove_prefix(2);
      continue;
    }
    auto variable = PseudoVariable::take(text, depth);
    if (!variable) return std::unexpected(variable.error());
    end_plain();
    result.pieces_.emplace_back(std::move(*variable));
  }
  end_plain();
  return result;
}

void TextTemplate::append_to(Call& call, std::string& out) const {
  for (const auto& piece : pieces_) {
    if (const auto* plain = std::get_if<std::string>(&piece)) {
      out += *plain;
      continue;
    }
    const auto value = value_of(call, std::get<PseudoVariable>(piece));
    if (value.is_null())
      out += "<null>";
    else
      append_value(out, value);
  }
}

}  // namespace perdure::script
