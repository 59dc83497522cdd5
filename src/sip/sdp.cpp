#include "sip/sdp.hpp"

#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/lines.hpp"

namespace perdure::sip {
namespace {

// RFC 3551 6, tables 4 and 5.
struct StaticFormat {
  std::string_view format, name;
};
constexpr StaticFormat static_formats[] = {
    {"0", "PCMU"},  {"3", "GSM"},   {"4", "G723"},   {"5", "DVI4"}, {"6", "DVI4"},  {"7", "LPC"},   {"8", "PCMA"},  {"9", "G722"},
    {"10", "L16"},  {"11", "L16"},  {"12", "QCELP"}, {"13", "CN"},  {"14", "MPA"},  {"15", "G728"}, {"16", "DVI4"}, {"17", "DVI4"},
    {"18", "G729"}, {"25", "CelB"}, {"26", "JPEG"},  {"28", "nv"},  {"31", "H261"}, {"32", "MPV"},  {"33", "MP2T"}, {"34", "H263"},
};

std::optional<MediaDirection> direction_from(std::string_view attribute) {
  if (attribute == "sendrecv") return MediaDirection::SendReceive;
  if (attribute == "sendonly") return MediaDirection::SendOnly;
  if (attribute == "recvonly") return MediaDirection::ReceiveOnly;
  if (attribute == "inactive") return MediaDirection::Inactive;
  return std::nullopt;
}

// "IN IP4 192.0.2.1/127" -> "192.0.2.1"
std::string_view address_of(std::string_view connection) {
  std::string_view address;
  while (const auto part = next_in_list(connection, ' ')) address = *part;
  return address.substr(0, address.find('/'));
}

bool read_media_line(std::string_view value, SdpMedia& media) {
  const auto type = next_in_list(value, ' ');
  const auto port = next_in_list(value, ' ');
  const auto transport = next_in_list(value, ' ');
  if (!transport) return false;
  media.type = *type;
  media.port = *port;
  media.transport = *transport;
  media.formats = chars::trim(value);
  return true;
}

// What its own lines say; false: it has no m= line that is one.
bool read_media(SdpMedia& media) {
  SdpLines lines(media.text);
  const auto first = lines.next();
  if (!first || first->type != 'm' || !read_media_line(first->value, media)) return false;
  media.m_line = first->text;
  while (const auto line = lines.next()) {
    if (line->type == 'c') media.address = address_of(line->value);
    if (line->type != 'a') continue;
    if (const auto direction = direction_from(line->value)) media.direction = *direction;
  }
  return true;
}

}  // namespace

std::optional<SdpLine> SdpLines::next() {
  while (!rest_.empty()) {
    const Line line = next_line(rest_, 0);
    const std::size_t end = line.end ? line.end : rest_.size();
    std::string_view content = rest_.substr(0, line.end ? line.content_end : rest_.size());
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (content.size() >= 2 && content[1] == '=') return SdpLine{content[0], content.substr(2), text};
  }
  return std::nullopt;
}

std::optional<std::string_view> next_in_list(std::string_view& rest, char separator) {
  while (!rest.empty()) {
    const std::size_t end = rest.find(separator);
    const std::string_view one = chars::trim(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (!one.empty()) return one;
  }
  return std::nullopt;
}

std::optional<SessionDescription> SessionDescription::parse(std::string_view text) {
  if (!text.starts_with("v=")) return std::nullopt;
  SessionDescription result;
  result.text = text;
  std::vector<std::size_t> begins;
  SdpLines lines(text);
  while (const auto line = lines.next()) {
    if (line->type != 'm') continue;
    if (begins.size() == media_max) return std::nullopt;
    begins.push_back(static_cast<std::size_t>(line->text.data() - text.data()));
  }
  result.session = text.substr(0, begins.empty() ? text.size() : begins.front());
  SdpMedia from_session;
  SdpLines session_lines(result.session);
  while (const auto line = session_lines.next()) {
    if (line->type == 'c') from_session.address = address_of(line->value);
    if (line->type == 'a')
      if (const auto direction = direction_from(line->value)) from_session.direction = *direction;
  }
  for (std::size_t i = 0; i < begins.size(); ++i) {
    SdpMedia media = from_session;
    media.text = text.substr(begins[i], (i + 1 < begins.size() ? begins[i + 1] : text.size()) - begins[i]);
    if (!read_media(media)) return std::nullopt;
    result.media.push_back(media);
  }
  return result;
}

std::string_view format_of(const SdpLine& line) {
  if (line.type != 'a') return {};
  for (const std::string_view attribute : {"rtpmap:", "fmtp:", "rtcp-fb:"}) {
    if (!line.value.starts_with(attribute)) continue;
    std::string_view rest = chars::trim_left(line.value.substr(attribute.size()));
    return rest.substr(0, rest.find_first_of(" \t"));
  }
  return {};
}

std::string_view codec_name(const SdpMedia& media, std::string_view format) {
  SdpLines lines(media.text);
  while (const auto line = lines.next()) {
    constexpr std::string_view map = "rtpmap:";
    if (line->type != 'a' || !line->value.starts_with(map) || format_of(*line) != format) continue;
    std::string_view rest = line->value.substr(map.size());
    const std::size_t space = rest.find_first_of(" \t");
    if (space == std::string_view::npos) continue;
    rest = chars::trim_left(rest.substr(space));
    return rest.substr(0, rest.find_first_of("/ \t\r"));
  }
  for (const auto& one : static_formats)
    if (one.format == format) return one.name;
  return {};
}

}  // namespace perdure::sip
