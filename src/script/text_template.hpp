#pragma once
// A text with variables in it, "$rm from $si, $$5", as the log functions take: compiled once.
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "script/pseudo_variable.hpp"

namespace perdure::script {

class TextTemplate {
 public:
  [[nodiscard]] static Result<TextTemplate> parse(std::string_view text, unsigned depth = 0);
  // "<null>" stands for null.
  void append_to(Call& call, std::string& out) const;

 private:
  std::vector<std::variant<std::string, PseudoVariable>> pieces_;
};

}  // namespace perdure::script
