#include "messages.hpp"

#include <fmt/format.h>

#include <cstring>

namespace perdure::bench {
namespace {

constexpr std::string_view number_place = "########";
constexpr std::string_view branch_mark = ";branch=z9hG4bK";

// A session description as a phone with some codecs and security descriptions offers it.
std::string session_description(std::uint16_t port) {
  return fmt::format(
      "v=0\r\no=- 3878123456 3878123456 IN IP4 127.0.0.1\r\ns=call\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
      "m=audio {} RTP/AVP 106 9 8 0 18 101\r\na=rtpmap:106 opus/48000/2\r\na=fmtp:106 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 "
      "PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
      "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
      "a=rtcp:{} IN IP4 127.0.0.1\r\na=sendrecv\r\na=maxptime:150\r\na=rtcp-mux\r\na=mid:0\r\n",
      port, port + 1);
}

// The request in two parts, between which Route lines may go.
struct Request {
  std::string head, tail;
};

struct Ends {
  std::string_view protocol, parameter;  // of Via; of URIs
  std::uint16_t caller, callee;
  std::string_view run;
};

Request make(std::string_view method, char branch, int cseq, std::string_view to_tag, const Ends& ends, std::string_view rest) {
  return {fmt::format("{} sip:b########{}@127.0.0.1:{}{} SIP/2.0\r\nVia: SIP/2.0/{} 127.0.0.1:{}{}########{}{};rport\r\n", method, ends.run,
                      ends.callee, ends.parameter, ends.protocol, ends.caller, branch_mark, ends.run, branch),
          fmt::format("Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.org>;tag=a########\r\nTo: <sip:bob@example.org>{}\r\n"
                      "Call-ID: ########{}@127.0.0.1\r\nCSeq: {} {}\r\n{}",
                      to_tag, ends.run, cseq, method, rest)};
}

int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

// The number of the call at `at`, followed by the mark of this run.
std::optional<std::uint32_t> number_at(std::string_view text, std::size_t at, std::string_view run) {
  if (text.size() < at + number_place.size() + run.size() || text.substr(at + number_place.size(), run.size()) != run) return std::nullopt;
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < number_place.size(); ++i) {
    const int digit = hexadecimal(text[at + i]);
    if (digit < 0) return std::nullopt;
    number = (number << 4) | static_cast<std::uint32_t>(digit);
  }
  return number;
}

// The line at `at` with its line end, empty at the end of the headers.
std::string_view line_at(std::string_view text, std::size_t at) {
  const void* end = std::memchr(text.data() + at, '\n', text.size() - at);
  if (end == nullptr) return {};
  const auto size = static_cast<std::size_t>(static_cast<const char*>(end) - text.data()) + 1 - at;
  return size <= 2 ? std::string_view{} : text.substr(at, size);
}

constexpr std::string_view record_route = "Record-Route: ";

}  // namespace

char* append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

std::optional<ResponseKey> response_key(std::string_view text, std::string_view run) {
  if (text.size() < 40 || !text.starts_with("SIP/2.0 ")) return std::nullopt;
  ResponseKey key;
  key.status = ((text[8] - '0') * 100) + ((text[9] - '0') * 10) + (text[10] - '0');
  const auto branch = text.find(branch_mark);
  if (branch == std::string_view::npos) return std::nullopt;
  const auto place = branch + branch_mark.size();
  const auto number = number_at(text, place, run);
  const auto method = place + number_place.size() + run.size();
  if (!number || method >= text.size()) return std::nullopt;
  key.call = *number;
  key.method = text[method];
  return key;
}

std::optional<RequestKey> request_key(std::string_view text, std::string_view run) {
  const auto uri = text.substr(0, 20).find(" sip:b");
  if (uri == std::string_view::npos) return std::nullopt;
  const auto number = number_at(text, uri + 6, run);
  if (!number) return std::nullopt;
  return RequestKey{*number, text[0]};
}

bool answers_cancel(std::string_view text) {
  return text.find(" CANCEL\r\n") != std::string_view::npos;
}

std::size_t copy_headers(std::string_view request, std::uint32_t call, char* out, std::size_t size) {
  static const Pattern tag(";tag=b########\r\n");
  constexpr std::size_t tag_bytes = 16;
  char* const begin = out;
  std::string_view line = line_at(request, 0);
  for (std::size_t at = line.size(); !(line = line_at(request, at)).empty(); at += line.size()) {
    const bool to = line.starts_with("To: ");
    if (!to && !line.starts_with("Via: ") && !line.starts_with("From: ") && !line.starts_with("Call-ID: ") && !line.starts_with("CSeq: ") &&
        !line.starts_with(record_route))
      continue;
    if (static_cast<std::size_t>(out - begin) + line.size() + tag_bytes > size) return 0;
    if (to && line.find(";tag=") == std::string_view::npos)
      out = tag.write(append(out, line.substr(0, line.size() - 2)), call);
    else
      out = append(out, line);
  }
  return static_cast<std::size_t>(out - begin);
}

std::size_t copy_route(std::string_view response, char* out, std::size_t size) {
  constexpr std::string_view route = "Route: ";
  char* const begin = out;
  std::string_view line = line_at(response, 0);
  for (std::size_t at = line.size(); !(line = line_at(response, at)).empty(); at += line.size()) {
    if (!line.starts_with(record_route)) continue;
    const auto value = line.substr(record_route.size());
    const auto bytes = route.size() + value.size(), before = static_cast<std::size_t>(out - begin);
    if (before + bytes > size) return 0;
    // The last recorded is the first to visit.
    std::memmove(begin + bytes, begin, before);
    append(append(begin, route), value);
    out += bytes;
  }
  return static_cast<std::size_t>(out - begin);
}

Pattern::Pattern(std::string text) : text_(std::move(text)) {
  for (auto at = text_.find(number_place); at != std::string::npos; at = text_.find(number_place, at + 1)) places_.push_back(at);
}

char* Pattern::write(char* out, std::uint32_t call) const {
  std::memcpy(out, text_.data(), text_.size());
  char digits[number_place.size()];
  for (std::size_t i = 0; i < sizeof digits; ++i) digits[i] = "0123456789abcdef"[(call >> (28 - (4 * i))) & 15];
  for (const auto place : places_) std::memcpy(out + place, digits, sizeof digits);
  return out + text_.size();
}

Messages::Messages(Transport transport, std::uint16_t caller, std::uint16_t callee, std::string_view run) {
  constexpr std::string_view protocols[] = {"UDP", "TCP", "TLS"}, parameters[] = {"", ";transport=tcp", ";transport=tls"};
  const auto which = static_cast<std::size_t>(transport);
  const Ends ends{protocols[which], parameters[which], caller, callee, run};
  const std::string contact = fmt::format("Contact: <sip:alice@127.0.0.1:{}{}>\r\n", caller, ends.parameter);
  const std::string offer = session_description(20000), no_body = "Content-Length: 0\r\n\r\n";
  const std::string features =
      "User-Agent: Bench phone\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, REFER, NOTIFY\r\n"
      "Supported: replaces, outbound, timer\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n";
  const auto with_body = [](const std::string& body) {
    return fmt::format("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  };
  const auto whole = [](const Request& parts) { return Pattern(parts.head + parts.tail); };
  const std::string tag = ";tag=b########";

  invite = whole(make("INVITE", 'i', 1, {}, ends,
                      contact + features + "P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n" + with_body(offer)));
  cancel = whole(make("CANCEL", 'i', 1, {}, ends, no_body));
  reject_ack = whole(make("ACK", 'i', 1, tag, ends, no_body));
  const Request ack = make("ACK", 'a', 1, tag, ends, contact + no_body);
  const Request bye = make("BYE", 'b', 2, tag, ends, contact + "User-Agent: Bench phone\r\n" + no_body);
  ack_head = Pattern(ack.head), ack_tail = Pattern(ack.tail);
  bye_head = Pattern(bye.head), bye_tail = Pattern(bye.tail);
  const std::string callee_contact = fmt::format("Contact: <sip:b########{}@127.0.0.1:{}{}>\r\n", run, callee, ends.parameter);
  ringing_tail = Pattern(callee_contact + no_body);
  ok_tail = Pattern(callee_contact + features + with_body(session_description(30000)));
}

}  // namespace perdure::bench
