#include "sip/builder.hpp"

#include <charconv>

#include "base/case.hpp"
#include "sip/chars.hpp"
#include "sip/params.hpp"

namespace perdure::sip {
namespace {

void append_number(std::string& out, std::size_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// A header line as it came, ended by a CRLF whatever ended it.
void append_line(std::string& out, std::string_view line) {
  out += chars::trim_right(line);
  out += "\r\n";
}

void append_lines(const Message& message, HeaderName header, std::string& out) {
  if (message.count(header) == 0) return;
  for (const HeaderField& field : message.headers())
    if (field.name == header) append_line(out, message.line(field));
}

void append_first(const Message& message, HeaderName header, std::string& out) {
  if (const HeaderField* field = message.find(header)) append_line(out, message.line(*field));
}

void append_vias(const Message& request, std::string_view top_via, std::string& out) {
  for (const Value& top : request.values(HeaderName::Via)) {
    if (top_via.empty()) break;
    // The line of the top value with that value exchanged, then the other lines.
    const std::string_view bytes = request.bytes();
    out += bytes.substr(top.field->begin, top.begin - top.field->begin);
    out += top_via;
    append_line(out, bytes.substr(top.end, top.field->end - top.end));
    for (const HeaderField& field : request.headers())
      if (field.name == HeaderName::Via && field.begin > top.field->begin) append_line(out, request.line(field));
    return;
  }
  append_lines(request, HeaderName::Via, out);
}

void append_to(const Message& request, std::string_view to_tag, std::string& out) {
  const HeaderField* field = request.find(HeaderName::To);
  if (!field) return;
  const NameAddr* address = request.to();
  out += chars::trim_right(request.line(*field));
  if (!to_tag.empty() && (!address || address->tag.empty())) {
    out += ";tag=";
    out += to_tag;
  }
  out += "\r\n";
}

void append_cseq(const Message& message, std::string_view method, std::string& out) {
  const CSeq* cseq = message.cseq();
  if (!cseq) return;
  out += "CSeq: ";
  append_number(out, cseq->number);
  out += ' ';
  out += method;
  out += "\r\n";
}

// What CANCEL and the ACK to a non-2xx have in common: they follow the INVITE hop by hop.
void append_hop_by_hop(const Message& invite, std::string_view method, std::string& out) {
  out += method;
  out += ' ';
  out += invite.request_uri();
  out += " SIP/2.0\r\n";
  for (const Value& top : invite.values(HeaderName::Via)) {
    out += "Via: ";
    out += top.text;
    out += "\r\n";
    break;
  }
  out += "Max-Forwards: 70\r\n";
  append_lines(invite, HeaderName::Route, out);
  append_first(invite, HeaderName::From, out);
}

}  // namespace

void build_response(const Message& request, std::uint16_t code, std::string_view reason, std::string_view to_tag,
                    std::string_view extra_lines, std::string_view body, std::string_view top_via, std::string& out) {
  out += "SIP/2.0 ";
  append_number(out, code);
  out += ' ';
  out += reason.empty() ? default_reason(code) : reason;
  out += "\r\n";
  append_vias(request, top_via, out);
  append_first(request, HeaderName::From, out);
  append_to(request, code > 100 ? to_tag : std::string_view{}, out);
  append_first(request, HeaderName::CallId, out);
  append_first(request, HeaderName::CSeq, out);
  if (code > 100 && code < 300) append_lines(request, HeaderName::RecordRoute, out);
  if (code == 100) append_first(request, HeaderName::Timestamp, out);
  out += extra_lines;
  out += "Content-Length: ";
  append_number(out, body.size());
  out += "\r\n\r\n";
  out += body;
}

void build_cancel(const Message& invite, std::string_view extra_lines, std::string& out) {
  append_hop_by_hop(invite, "CANCEL", out);
  append_first(invite, HeaderName::To, out);
  append_first(invite, HeaderName::CallId, out);
  append_cseq(invite, "CANCEL", out);
  out += extra_lines;
  out += "Content-Length: 0\r\n\r\n";
}

void build_ack(const Message& invite, const Message& response, std::string& out) {
  append_hop_by_hop(invite, "ACK", out);
  append_first(response, HeaderName::To, out);  // with the tag of the one who answered
  append_first(invite, HeaderName::CallId, out);
  append_cseq(invite, "ACK", out);
  out += "Content-Length: 0\r\n\r\n";
}

void via_with_received(const Via& via, const SocketAddress& source, std::string& out, bool force_rport) {
  const auto named = SocketAddress::parse(via.host, 0);
  const bool rport = via.has_rport || force_rport;
  // RFC 3581 4: received is there even if it says the same as the host, if rport was asked for.
  const bool received = via.has_rport || !named || !named->same_ip(source);
  const auto write_rport = [&] {
    out += ";rport=";
    append_number(out, source.port);
  };
  out += via.text.substr(0, via.text.size() - via.params.size());
  bool rport_written = false;
  ParamReader reader(via.params);
  while (const auto param = reader.next()) {
    if (equals_ignore_case(param->name, "received")) continue;
    if (!equals_ignore_case(param->name, "rport")) {
      out += ';';
      out += param->text;
    } else if (!rport_written) {
      write_rport();
      rport_written = true;
    }
  }
  if (rport && !rport_written) write_rport();
  if (received) {
    out += ";received=";
    source.append_ip_text(out);
  }
}

}  // namespace perdure::sip
