// KSR.sdpops: what an offer or answer has, and media or codecs taken out of it.
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/case.hpp"
#include "script/ksr/log.hpp"
#include "script/ksr/sdp_access.hpp"
#include "script/vm.hpp"
#include "sip/multipart.hpp"

namespace perdure::script {
namespace {

using sip::SdpMedia;
using sip::SessionDescription;

constexpr std::string_view sdp_type = "application/sdp";

std::string_view type_of(const sip::Message& message) {
  const auto* field = message.find(sip::HeaderName::ContentType);
  if (!field) return {};
  const std::string_view value = message.value(*field);
  return value.substr(0, value.find_first_of("; \t"));
}

}  // namespace

std::string_view session_description_text(const sip::Message& message) {
  if (equals_ignore_case(type_of(message), sdp_type)) return message.body();
  const auto* field = message.find(sip::HeaderName::ContentType);
  const auto boundary = field ? sip::multipart_boundary(message.value(*field)) : std::nullopt;
  const auto part = boundary ? sip::find_part(message.body(), *boundary, sdp_type) : std::nullopt;
  return part ? part->content : std::string_view{};
}

std::optional<SessionDescription> session_description(const sip::Message& message) {
  const std::string_view text = session_description_text(message);
  return text.empty() ? std::nullopt : SessionDescription::parse(text);
}

// 1: by its address, 2: by its direction.
int is_audio_on_hold(Call& call) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  for (const SdpMedia& media : description->media) {
    if (media.type != "audio") continue;
    if (media.address == "0.0.0.0") return 1;
    if (media.direction == sip::MediaDirection::SendOnly || media.direction == sip::MediaDirection::Inactive) return 2;
  }
  return -1;
}

namespace {

int truth(bool value) {
  return value ? 1 : -1;
}

bool in_list(std::string_view list, std::string_view wanted) {
  while (const auto one = sip::next_in_list(list, ','))
    if (equals_ignore_case(*one, wanted)) return true;
  return false;
}

// 1, `otherwise` if there is none like that, -1 without a description.
int any_media(Call& call, const std::function<bool(const SdpMedia&)>& matches, int otherwise = -1) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  return std::ranges::any_of(description->media, matches) ? 1 : otherwise;
}

void replace(Call& call, std::string_view piece, std::string_view with) {
  const auto begin = static_cast<std::uint32_t>(piece.data() - call.message().bytes().data());
  call.context().edits->replace_range(begin, begin + static_cast<std::uint32_t>(piece.size()), with);
}

enum class Codecs : std::uint8_t { ById, ByName };

bool is_listed(const SdpMedia& media, std::string_view format, std::string_view list, Codecs by) {
  return in_list(list, by == Codecs::ById ? format : sip::codec_name(media, format));
}

// (list, type): takes formats out of the media of that type, or of all; with `keep` those that are not listed. A medium whose formats would
// all go keeps its m= line as it is: one without a format is none (RFC 8866 9). 0 as in Kamailio, which has -1 for names that no medium
// knows.
int remove_codecs(Call& call, Codecs by, bool keep) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  bool known = by == Codecs::ById;
  for (const SdpMedia& media : description->media) {
    if (!call.text(1).empty() && media.type != call.text(1)) continue;
    std::string kept;
    std::vector<std::string_view> removed;
    std::string_view rest = media.formats;
    while (const auto format = sip::next_in_list(rest, ' ')) {
      const bool listed = is_listed(media, *format, call.text(0), by);
      known = known || listed;
      if (listed == keep)
        kept.append(kept.empty() ? "" : " ").append(*format);
      else
        removed.push_back(*format);
    }
    if (removed.empty()) continue;
    if (!kept.empty()) replace(call, media.formats, kept);
    sip::SdpLines lines(media.text);
    while (const auto line = lines.next())
      if (const auto format = sip::format_of(*line); !format.empty() && std::ranges::find(removed, format) != removed.end())
        replace(call, line->text, {});
  }
  return known ? 0 : -1;
}

// 1: each medium has all of the list, 2: one has one of it, `none`: none has any.
int with_codecs(Call& call, Codecs by, int none) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  bool found = false, missing = false;
  for (const SdpMedia& media : description->media) {
    std::string_view wanted = call.text(0);
    while (const auto one = sip::next_in_list(wanted, ',')) {
      std::string_view rest = media.formats;
      bool has = false;
      while (const auto format = sip::next_in_list(rest, ' ')) has = has || is_listed(media, *format, *one, by);
      (has ? found : missing) = true;
    }
  }
  return !found ? none : missing ? 2 : 1;
}

// (prefix, type): the type selects media; without one the session's lines go, too.
int remove_lines(Call& call) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  if (call.text(0).empty()) return call.fail("an empty prefix is that of all lines");
  int removed = 0;
  const auto remove_in = [&](std::string_view text) {
    sip::SdpLines lines(text);
    while (const auto line = lines.next()) {
      if (line->type == 'm' || !line->text.starts_with(call.text(0))) continue;
      replace(call, line->text, {});
      ++removed;
    }
  };
  if (call.text(1).empty()) remove_in(description->session);
  for (const SdpMedia& media : description->media)
    if (call.text(1).empty() || media.type == call.text(1)) remove_in(media.text);
  return removed;
}

int remove_media(Call& call, const std::function<bool(const SdpMedia&)>& matches) {
  const auto description = session_description(call.message());
  if (!description) return 0;
  int removed = 0;
  for (const SdpMedia& media : description->media) {
    if (!matches(media)) continue;
    replace(call, media.text, {});
    ++removed;
  }
  return removed;
}

// False after call.fail().
bool put(Call& call, std::string_view name, std::string_view text) {
  std::string error;
  const auto* variable = call.vm.pseudo_variable(name.starts_with('$') ? std::string(name) : "$avp(" + std::string(name) + ")", error);
  if (!variable) {
    (void)call.fail(std::move(error));
    return false;
  }
  const Value value = Value::of(text);
  return set_value(call, *variable, &value);
}

int get(Call& call) {
  const std::string_view text = session_description_text(call.message());
  if (text.empty()) return call.message().body().empty() ? -2 : -1;
  return put(call, call.text(0), text) ? 1 : -1;
}

// (variable, prefix): the first line that begins so.
int get_line(Call& call) {
  const auto description = session_description(call.message());
  if (!description) return call.message().body().empty() ? -2 : -1;
  sip::SdpLines lines(description->text);
  while (const auto line = lines.next()) {
    if (!line->text.starts_with(call.text(1))) continue;
    const std::string_view text = line->text.substr(0, line->text.find_last_not_of("\r\n") + 1);
    return put(call, call.text(0), text) ? 1 : -1;
  }
  return -1;
}

// (variable): the transport that all media have in common.
int transport(Call& call) {
  const auto description = session_description(call.message());
  if (!description || description->media.empty()) return -1;
  const std::string_view common = description->media.front().transport;
  if (!std::ranges::all_of(description->media, [&](const SdpMedia& media) { return media.transport == common; })) return -2;
  return put(call, call.text(0), common) ? 1 : -1;
}

int with_ice(Call& call) {
  return any_media(call, [](const SdpMedia& media) {
    sip::SdpLines lines(media.text);
    while (const auto line = lines.next())
      if (line->type == 'a' && line->value.starts_with("candidate:")) return true;
    return false;
  });
}

int print(Call& call) {
  const auto description = session_description(call.message());
  if (!description) return -1;
  const std::int64_t number = call.number(0);
  const auto level = number >= 3   ? log::Level::Debug
                     : number == 2 ? log::Level::Info
                     : number >= 0 ? log::Level::Warning
                                   : log::Level::Error;
  for (const SdpMedia& media : description->media) {
    std::string line("SDP ");
    line.append(media.type).append(" ").append(media.port).append(" ").append(media.transport).append(":");
    std::string_view rest = media.formats;
    while (const auto format = sip::next_in_list(rest, ' ')) {
      line.append(" ").append(*format);
      if (const auto name = sip::codec_name(media, *format); !name.empty()) line.append(" ").append(name);
    }
    write_log(level, line);
  }
  return 1;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view in_avp = "A name without `$` is that of an AVP.";
constexpr std::string_view keeps_one = "The m= line of a medium that would have no format left stays as it is.";

const Function table[] = {
    {"sdpops", "sdp_content", "", integer, routes::any, "The message has a session description, alone or in a multipart body.", "",
     [](Call& call) { return truth(session_description(call.message()).has_value()); }},
    {"sdpops", "sdp_content_flags", "int sloppy", integer, routes::any,
     "The same; with sloppy 1 by its Content-Type only, whatever is in it.", "",
     [](Call& call) {
       return truth(call.number(0) ? !session_description_text(call.message()).empty() : session_description(call.message()).has_value());
     }},
    {"sdpops", "sdp_with_media", "string type", integer, routes::any, "There is a medium of that type, `audio`; 0 if there is none.", "",
     [](Call& call) {
       return any_media(
           call, [&](const SdpMedia& media) { return media.type == call.text(0); }, 0);
     }},
    {"sdpops", "sdp_with_active_media", "string type", integer, routes::any,
     "There is one whose port is not 0 and that is not inactive; 0 "
     "if there is none.",
     "",
     [](Call& call) {
       const auto is_active = [&](const SdpMedia& media) {
         return media.type == call.text(0) && media.port != "0" && media.direction != sip::MediaDirection::Inactive;
       };
       return any_media(call, is_active, 0);
     }},
    {"sdpops", "sdp_with_transport", "string transport", integer, routes::any, "There is a medium with that transport, `RTP/AVP`.", "",
     [](Call& call) { return any_media(call, [&](const SdpMedia& media) { return media.transport == call.text(0); }); }},
    {"sdpops", "sdp_with_transport_like", "string part", integer, routes::any, "There is a medium whose transport contains that text.", "",
     [](Call& call) {
       return any_media(call, [&](const SdpMedia& media) { return media.transport.find(call.text(0)) != std::string_view::npos; });
     }},
    {"sdpops", "sdp_with_codecs_by_id", "string list", integer, routes::any,
     "Of those formats, `0,8`: 1 if all media have all, 2 if one has one, "
     "0 if none has any.",
     "", [](Call& call) { return with_codecs(call, Codecs::ById, 0); }},
    {"sdpops", "sdp_with_codecs_by_name", "string list", integer, routes::any, "The same of codecs, `PCMU,PCMA`; -1 if none has any.", "",
     [](Call& call) { return with_codecs(call, Codecs::ByName, -1); }},
    {"sdpops", "sdp_with_ice", "", integer, routes::any, "There are ICE candidates.", "", with_ice},
    {"sdpops", "sdp_get", "string variable", integer, routes::any,
     "Puts the session description into an AVP; -1 if the body is "
     "another one, -2 if there is none.",
     in_avp, get},
    {"sdpops", "sdp_get_line_startswith", "string variable, string prefix", integer, routes::any,
     "Puts the first line that begins so into an AVP; -1 if there is no such line, -2 if there is no body.", in_avp, get_line},
    {"sdpops", "sdp_transport", "string variable", integer, routes::any,
     "Puts the transport that all media have in common into an AVP; -2 if they have none in common.", in_avp, transport},
    {"sdpops", "remove_codecs_by_id", "string list, string type", integer, routes::any,
     "Takes formats, and their rtpmap, fmtp and rtcp-fb, out of the media of that type; of all if it is empty. 0, -1 without a "
     "session description.",
     keeps_one, [](Call& call) { return remove_codecs(call, Codecs::ById, false); }},
    {"sdpops", "remove_codecs_by_name", "string list, string type", integer, routes::any,
     "The same by the names of the codecs; -1 if no medium has "
     "any.",
     keeps_one, [](Call& call) { return remove_codecs(call, Codecs::ByName, false); }},
    {"sdpops", "keep_codecs_by_id", "string list, string type", integer, routes::any, "Takes all other formats out.", keeps_one,
     [](Call& call) { return remove_codecs(call, Codecs::ById, true); }},
    {"sdpops", "keep_codecs_by_name", "string list, string type", integer, routes::any, "The same by the names of the codecs.", keeps_one,
     [](Call& call) { return remove_codecs(call, Codecs::ByName, true); }},
    {"sdpops", "remove_line_by_prefix", "string prefix, string type", integer, routes::any,
     "Removes the lines that begin so from the media of that type; from all, and from the session's, if it is empty. How many.",
     "m= lines stay.", remove_lines},
    {"sdpops", "remove_media", "string type", integer, routes::any, "Removes the media of that type. How many.", "",
     [](Call& call) { return remove_media(call, [&](const SdpMedia& media) { return media.type == call.text(0); }); }},
    {"sdpops", "sdp_print", "int level", integer, routes::any, "Writes a line for each medium into the log.", "The text is another one.",
     print},
};

}  // namespace

std::span<const Function> sdpops_functions() {
  return table;
}

}  // namespace perdure::script
