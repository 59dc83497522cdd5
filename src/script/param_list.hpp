#pragma once
// "a=1;b="x y";c" as scripts write it: any separator, spaces around the parts. Those of SIP headers are read by sip/params.hpp.
#include <optional>
#include <string_view>

namespace perdure::script {

struct ListedParam {
  std::string_view name, value;  // value without its quotes
};

class ParamList {
 public:
  explicit ParamList(std::string_view text, char separator = ';') : rest_(text), separator_(separator) {}
  // Nullopt at the end. Empty pieces are skipped.
  [[nodiscard]] std::optional<ListedParam> next();

 private:
  std::string_view rest_;
  char separator_;
};

}  // namespace perdure::script
