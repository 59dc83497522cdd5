#pragma once
// Bodies of several parts: RFC 2046 5.1, as INVITE carries them (RFC 5621).
#include <optional>
#include <string_view>

namespace perdure::sip {

// Views of the body.
struct BodyPart {
  std::string_view headers;  // complete lines, may be empty
  std::string_view content;  // without the line end before the delimiter

  // The value of that header, trimmed; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

// The boundary that a Content-Type of multipart/… names, without quotes; nullopt: it is none.
[[nodiscard]] std::optional<std::string_view> multipart_boundary(std::string_view content_type);

// Walks the parts in order.
class PartReader {
 public:
  PartReader(std::string_view body, std::string_view boundary);
  // nullopt: there is no further part, or it does not end.
  [[nodiscard]] std::optional<BodyPart> next();

 private:
  // Behind the next delimiter line; `content_end` is where what was before it ends. npos: there is none.
  std::size_t find_delimiter(std::size_t from, std::size_t& content_end);
  std::string_view body_, boundary_;
  std::size_t position_;
  bool last_ = false;
};

// The first part of that type, compared without case and parameters.
[[nodiscard]] std::optional<BodyPart> find_part(std::string_view body, std::string_view boundary, std::string_view type);

}  // namespace perdure::sip
