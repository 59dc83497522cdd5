#include "sip/multipart.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/lines.hpp"
#include "sip/params.hpp"

namespace perdure::sip {
namespace {

constexpr std::size_t boundary_length_max = 70;  // RFC 2046 5.1.1

std::string_view without_params(std::string_view type) {
  return chars::trim(type.substr(0, type.find(';')));
}

}  // namespace

std::string_view BodyPart::header(std::string_view name) const {
  for (std::size_t at = 0; at < headers.size();) {
    const Line line = next_field(headers, at);
    if (line.end == 0 || line.empty()) break;
    const std::string_view text = headers.substr(line.begin, line.content_end - line.begin);
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && equals_ignore_case(chars::trim(text.substr(0, colon)), name))
      return chars::trim(text.substr(colon + 1));
    at = line.end;
  }
  return {};
}

std::optional<std::string_view> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view multipart = "multipart/";
  if (content_type.size() < multipart.size() || !equals_ignore_case(content_type.substr(0, multipart.size()), multipart))
    return std::nullopt;
  const std::size_t semicolon = content_type.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  auto boundary = find_param(content_type.substr(semicolon), "boundary");
  if (!boundary) return std::nullopt;
  if (boundary->size() >= 2 && boundary->front() == '"' && boundary->back() == '"') boundary = boundary->substr(1, boundary->size() - 2);
  if (boundary->empty() || boundary->size() > boundary_length_max) return std::nullopt;
  return boundary;
}

PartReader::PartReader(std::string_view body, std::string_view boundary) : body_(body), boundary_(boundary), position_(0) {
  std::size_t preamble_end = 0;
  position_ = find_delimiter(0, preamble_end);
}

std::size_t PartReader::find_delimiter(std::size_t from, std::size_t& content_end) {
  for (std::size_t begin = from; begin < body_.size();) {
    const Line line = next_line(body_, begin);
    const std::size_t end = line.end ? line.end : body_.size();
    std::string_view text = body_.substr(begin, line.end ? line.content_end - begin : std::string_view::npos);
    if (text.starts_with("--") && text.substr(2).starts_with(boundary_)) {
      text = chars::trim_right(text.substr(2 + boundary_.size()));
      if (text.empty() || text == "--") {
        last_ = !text.empty();
        content_end = begin;
        if (content_end > from && body_[content_end - 1] == '\n') --content_end;
        if (content_end > from && body_[content_end - 1] == '\r') --content_end;
        return end;
      }
    }
    begin = end;
  }
  return std::string_view::npos;
}

std::optional<BodyPart> PartReader::next() {
  if (position_ == std::string_view::npos || last_) return std::nullopt;
  const std::size_t begin = position_;
  std::size_t end = 0;
  position_ = find_delimiter(begin, end);
  if (position_ == std::string_view::npos) return std::nullopt;
  const std::string_view whole = body_.substr(begin, end - begin);
  // Header lines end with an empty one.
  std::size_t at = 0;
  while (at < whole.size()) {
    const Line line = next_line(whole, at);
    if (line.end == 0) return BodyPart{whole, {}};
    if (line.empty()) return BodyPart{whole.substr(0, at), whole.substr(line.end)};
    at = line.end;
  }
  return BodyPart{whole, {}};
}

std::optional<BodyPart> find_part(std::string_view body, std::string_view boundary, std::string_view type) {
  PartReader reader(body, boundary);
  while (auto part = reader.next())
    if (equals_ignore_case(without_params(part->header("Content-Type")), without_params(type))) return part;
  return std::nullopt;
}

}  // namespace perdure::sip
