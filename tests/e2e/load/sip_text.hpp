#pragma once
// Just enough SIP to play user agents. It shares nothing with the server, so that an error there cannot hide itself here.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace load {

inline bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 32) == (y | 32); });
}

// A message cut into lines; the views point into the text it was made of.
class Text {
 public:
  explicit Text(std::string_view bytes) {
    std::size_t at = bytes.find("\r\n");
    first_ = bytes.substr(0, at);
    while (at != std::string_view::npos) {
      const std::size_t begin = at + 2;
      at = bytes.find("\r\n", begin);
      const auto line = bytes.substr(begin, at == std::string_view::npos ? at : at - begin);
      if (line.empty()) break;
      lines_.push_back(line);
    }
  }
  [[nodiscard]] std::string_view first_line() const { return first_; }
  [[nodiscard]] bool is_response() const { return first_.starts_with("SIP/2.0 "); }
  [[nodiscard]] int status() const {
    int code = 0;
    if (is_response() && first_.size() >= 11) std::from_chars(first_.data() + 8, first_.data() + 11, code);
    return code;
  }
  [[nodiscard]] std::string_view method() const { return first_.substr(0, first_.find(' ')); }
  [[nodiscard]] std::string_view request_uri() const {
    const auto begin = first_.find(' ');
    if (begin == std::string_view::npos) return {};
    return first_.substr(begin + 1, first_.rfind(' ') - begin - 1);
  }
  // The value of the first line of that name.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto all = headers(name);
    return all.empty() ? std::string_view{} : all.front();
  }
  [[nodiscard]] std::vector<std::string_view> headers(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto line : lines_) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos || !same_name(line.substr(0, colon), name)) continue;
      auto value = line.substr(colon + 1);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      values.push_back(value);
    }
    return values;
  }
  [[nodiscard]] std::string_view cseq_method() const {
    const auto value = header("CSeq");
    const auto space = value.find(' ');
    return space == std::string_view::npos ? std::string_view{} : value.substr(space + 1);
  }
  // A parameter of a header value, empty if it is not there.
  [[nodiscard]] static std::string_view parameter(std::string_view value, std::string_view name) {
    for (std::size_t at = value.find(';'); at != std::string_view::npos; at = value.find(';', at + 1)) {
      const auto rest = value.substr(at + 1);
      if (!rest.starts_with(name) || rest.size() <= name.size() || rest[name.size()] != '=') continue;
      const auto text = rest.substr(name.size() + 1);
      return text.substr(0, text.find_first_of(";, >"));
    }
    return {};
  }
  [[nodiscard]] std::string_view branch() const { return parameter(header("Via"), "branch"); }

 private:
  std::string_view first_;
  std::vector<std::string_view> lines_;
};

// The text between < and >.
inline std::string_view uri_of(std::string_view address) {
  const auto begin = address.find('<');
  if (begin == std::string_view::npos) return address.substr(0, address.find(';'));
  return address.substr(begin + 1, address.find('>', begin) - begin - 1);
}

}  // namespace load
