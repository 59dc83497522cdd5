#pragma once
// What must hold for every message, however hostile: shared by the fuzz targets and by the mutation test. Each function returns what is
// broken, or null.
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "sip/builder.hpp"
#include "sip/edits.hpp"
#include "sip/message.hpp"

namespace perdure::sip::checks {

using Broken = const char*;

[[nodiscard]] inline bool inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// Header lines stand in order between start line and body, and their parts inside of them.
[[nodiscard]] inline Broken layout(const Message& message) {
  const std::size_t size = message.bytes().size();
  const std::size_t body_begin = size - message.body().size();
  if (message.headers_begin() > message.headers_end() || message.headers_end() > body_begin || body_begin > size)
    return "parts out of order";
  if (!inside(message.request_uri(), message.bytes()) || !inside(message.method_name(), message.bytes()) ||
      !inside(message.reason(), message.bytes()) || !inside(message.version(), message.bytes()))
    return "start line outside of the message";
  std::uint32_t previous_end = message.headers_begin();
  std::array<std::size_t, header_names> counts{};
  for (const HeaderField& field : message.headers()) {
    if (field.begin < previous_end || field.name_length == 0 || field.begin + field.name_length >= field.value_begin)
      return "header name out of place";
    if (field.value_begin > field.value_end || field.value_end >= field.end || field.end > message.headers_end())
      return "header value out of place";
    if (message.bytes()[field.end - 1] != '\n') return "header line without its end";
    if (counts[static_cast<std::size_t>(field.name)]++ == 0 && field.name != HeaderName::Other && message.find(field.name) != &field)
      return "find() gives another than the first";
    previous_end = field.end;
  }
  for (std::size_t i = 1; i < header_names; ++i)
    if (message.count(static_cast<HeaderName>(i)) != counts[i]) return "count() is wrong";
  return nullptr;
}

[[nodiscard]] inline Broken values(const Message& message, HeaderName header) {
  const Value* previous = nullptr;
  Value last;
  for (const Value& value : message.values(header)) {
    if (value.text.empty() || value.text != message.bytes().substr(value.begin, value.end - value.begin)) return "value and offsets differ";
    if (value.field->name != header || value.begin < value.field->value_begin || value.end > value.field->value_end)
      return "value outside of its line";
    const bool same_line = previous && previous->field == value.field;
    if (value.previous_end != (same_line ? previous->end : 0)) return "previous value is another";
    if (same_line && previous->next_begin != value.begin) return "next value is another";
    if (!same_line && previous && previous->next_begin) return "next value is missing";
    last = value;
    previous = &last;
  }
  return previous && previous->next_begin ? "last value has a next one" : nullptr;
}

// All lazy parts; their views are inside of the message.
[[nodiscard]] inline Broken views(const Message& message) {
  const std::string_view bytes = message.bytes();
  if (const Via* via = message.top_via())
    for (const auto part :
         {via->text, via->protocol, via->transport, via->host, via->params, via->branch, via->received, via->rport, via->maddr})
      if (!inside(part, bytes)) return "Via outside of the message";
  for (const NameAddr* address : {message.from(), message.to()})
    if (address)
      for (const auto part : {address->display, address->uri, address->params, address->tag})
        if (!inside(part, bytes)) return "address outside of the message";
  if (const Uri* uri = message.uri()) {
    for (const auto part : {uri->scheme_name, uri->user, uri->password, uri->host, uri->params, uri->headers, uri->opaque})
      if (!inside(part, bytes)) return "URI outside of the message";
  }
  if (const CSeq* cseq = message.cseq(); cseq && (cseq->number >> 31 || cseq->method_name.empty())) return "CSeq beyond its limits";
  if (const auto hops = message.max_forwards(); hops && *hops > 255) return "Max-Forwards beyond its limits";
  for (const auto header : {HeaderName::Via, HeaderName::Route, HeaderName::RecordRoute, HeaderName::Contact, HeaderName::Other})
    if (const Broken broken = values(message, header)) return broken;
  return nullptr;
}

// The three ways to write give the same, and a list that went through a store writes it, too.
[[nodiscard]] inline Broken writing(const Message& message, const Edits& edits, std::string& out) {
  out.clear();
  edits.serialize_append(message, out);
  if (edits.serialized_size(message) != out.size()) return "serialized_size() is wrong";
  std::string buffer(out.size(), '\0');
  if (edits.serialize(message, buffer) != out.size() || buffer != out) return "serialize() differs from serialize_append()";
  if (!out.empty() && edits.serialize(message, std::span<char>(buffer).first(out.size() - 1)) != 0)
    return "serialize() wrote beyond its end";
  std::string stored, again;
  edits.encode(stored);
  Edits restored;
  if (!restored.decode(stored)) return "decode() refuses what encode() wrote";
  restored.serialize_append(message, again);
  return again == out ? nullptr : "a restored list writes something else";
}

// What a proxy does to a request that check() accepted (RFC 3261 16.6).
[[nodiscard]] inline Broken forwarding(const Message& request, std::string& out) {
  Edits edits;
  const auto route = request.values(HeaderName::Route).begin();
  const bool routed = route != std::default_sentinel;
  std::size_t headers = request.headers().size() + 3;
  if (headers + 1 > headers_max) return nullptr;
  edits.set_request_uri("sip:next@192.0.2.200:5070");
  if (const HeaderField* hops = request.find(HeaderName::MaxForwards)) {
    edits.replace_value(*hops, "42");
  } else {
    edits.append("Max-Forwards: 42\r\n");
    ++headers;
  }
  std::string second_route;
  if (routed) {
    edits.remove_value(*route);
    headers -= route->only_in_line;
    auto next = route;
    if (++next != std::default_sentinel) second_route = next->text;
  }
  edits.insert_before(HeaderName::RecordRoute, "Record-Route: <sip:192.0.2.100;lr>\r\n");
  edits.insert_before(HeaderName::Via, "Via: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKours\r\n");
  edits.append("X-Last: 1\r\n");
  if (const Broken broken = writing(request, edits, out)) return broken;

  Message forwarded;
  if (!forwarded.parse(out) || !forwarded.check()) return "forwarded request is refused";
  if (forwarded.bytes().size() != out.size() || forwarded.body() != request.body()) return "forwarded request has another body";
  if (forwarded.headers().size() != headers) return "forwarded request has another number of headers";
  if (forwarded.request_uri() != "sip:next@192.0.2.200:5070" || forwarded.max_forwards() != 42U) return "forwarded request lacks an edit";
  if (forwarded.top_via()->branch != "z9hG4bKours") return "our Via is not on top";
  auto via = forwarded.values(HeaderName::Via).begin();
  if (++via == std::default_sentinel || via->text != request.top_via()->text) return "the Via below ours is another";
  if (routed) {
    const auto first = forwarded.values(HeaderName::Route).begin();
    const std::string_view left = first == std::default_sentinel ? std::string_view{} : first->text;
    if (left != second_route) return "another Route is left";
  }
  for (const auto header : {HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq})
    if (forwarded.line(*forwarded.find(header)) != request.line(*request.find(header))) return "an untouched line changed";
  return nullptr;
}

// RFC 3261 8.2.6, for a request that check() accepted, or for anything at all.
[[nodiscard]] inline Broken answering(const Message& request, bool accepted, std::string& out) {
  std::string via;
  if (const Via* top = request.top_via()) via_with_received(*top, *SocketAddress::parse("192.0.2.77", 0), via, true);
  out.clear();
  build_response(request, 480, {}, "ours", "X: y\r\n", {}, via, out);
  if (request.headers().size() + 2 > headers_max) return nullptr;
  Message response;
  if (!response.parse(out)) return "our response is malformed";
  if (response.status() != 480 || !response.body().empty()) return "our response says something else";
  if (!accepted) return nullptr;
  if (!response.check()) return "our response to a good request is refused";
  if (response.to()->tag.empty()) return "our response has no tag";
  if (response.top_via()->received != "192.0.2.77" || response.top_via()->branch != request.top_via()->branch)
    return "our response has a bad Via";
  auto theirs = request.values(HeaderName::Via).begin();
  auto ours = response.values(HeaderName::Via).begin();
  for (++theirs, ++ours; theirs != std::default_sentinel && ours != std::default_sentinel; ++theirs, ++ours)
    if (theirs->text != ours->text) return "our response has another Via below the top";
  if (theirs != std::default_sentinel || ours != std::default_sentinel) return "our response has another number of Vias";
  if (response.call_id() != request.call_id() || response.cseq()->number != request.cseq()->number)
    return "our response belongs to another request";
  return nullptr;
}

// RFC 3261 9.1, 17.1.1.3.
[[nodiscard]] inline Broken cancelling(const Message& invite, std::string& out) {
  for (const bool ack : {false, true}) {
    out.clear();
    if (ack)
      build_ack(invite, invite, out);
    else
      build_cancel(invite, "Reason: SIP;cause=200\r\n", out);
    Message built;
    if (!built.parse(out) || !built.check()) return "our CANCEL or ACK is refused";
    if (built.method() != (ack ? Method::Ack : Method::Cancel) || built.request_uri() != invite.request_uri())
      return "our CANCEL goes elsewhere";
    if (built.top_via()->text != invite.top_via()->text || built.cseq()->number != invite.cseq()->number ||
        built.call_id() != invite.call_id())
      return "our CANCEL belongs to another request";
  }
  return nullptr;
}

// Everything above on one datagram. `accepted` becomes whether parse() and check() took it.
[[nodiscard]] inline Broken everything(std::string_view datagram, bool& accepted) {
  Message message;
  const bool parsed = message.parse(datagram).has_value();
  const auto checked = message.check();
  accepted = parsed && checked.has_value();
  if (!parsed && checked) return "check() accepts what parse() refused";
  if (!checked && (checked.error().status < 400 || checked.error().reason.empty())) return "refused without a reason";
  if (const Broken broken = layout(message)) return broken;
  if (const Broken broken = views(message)) return broken;
  std::string out;
  out.reserve(datagram.size() + 1024);
  if (const Broken broken = writing(message, Edits{}, out)) return broken;
  if (out != message.bytes()) return "an unedited message is not verbatim";
  if (message.is_response()) return nullptr;
  if (const Broken broken = answering(message, accepted, out)) return broken;
  if (!accepted) return nullptr;
  if (const Broken broken = cancelling(message, out)) return broken;
  return forwarding(message, out);
}

}  // namespace perdure::sip::checks
