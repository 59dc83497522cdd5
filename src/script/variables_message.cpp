// Variables of the message: first line, headers, body.
#include "base/case.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/chars.hpp"
#include "sip/name_addr.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;
using sip::HeaderName;

V text_or_null(std::string_view text) {
  return text.empty() ? V{} : V::of(text);
}

V first_header(Call& call, HeaderName name) {
  const auto* field = call.message().find(name);
  return field ? V::of(call.message().value(*field)) : V{};
}

V get_header(Call& call, P variable) {
  if (!variable.index.all) {
    const auto* field = header_at(call.message(), variable.argument, variable.index.number);
    return field ? V::of(call.message().value(*field)) : V{};
  }
  std::string& all = call.vm.scratch;
  all.clear();
  int index = 0;
  for (const auto* field = header_at(call.message(), variable.argument, 0); field;
       field = header_at(call.message(), variable.argument, ++index)) {
    if (index > 0) all += ',';
    all += call.message().value(*field);
  }
  return index == 0 ? V{} : V::of(all);
}

V count_headers(Call& call, P variable) {
  return V::of(static_cast<std::int64_t>(header_count(call.message(), variable.argument)));
}

// ---- headers with an address ----

enum class AddressPart { Uri, User, Host, Display, Reason, Privacy };

template <HeaderName name, AddressPart part>
V address_of(Call& call, P) {
  for (const auto& value : call.message().values(name)) {
    const auto address = sip::NameAddr::parse(value.text);
    if (!address) return {};
    switch (part) {
      case AddressPart::Uri:
        return text_or_null(address->uri);
      case AddressPart::Display:
        return text_or_null(address->display);
      case AddressPart::Reason:
        return text_or_null(address->param("reason").value_or(std::string_view{}));
      case AddressPart::Privacy:
        return text_or_null(address->param("privacy").value_or(std::string_view{}));
      case AddressPart::User:
      case AddressPart::Host:
        break;
    }
    const auto uri = sip::Uri::parse(address->uri);
    if (!uri) return {};
    return text_or_null(part == AddressPart::User ? uri->user : uri->host);
  }
  return {};
}

V remote_party(Call& call, P) {
  const auto* field = call.message().find("Remote-Party-ID");
  const auto address = field ? sip::NameAddr::parse(call.message().value(*field)) : std::nullopt;
  return address ? text_or_null(address->uri) : V{};
}

// ---- credentials: Authorization or Proxy-Authorization (RFC 3261 20.7) ----

// The value of a parameter of the credentials, without quotes; nullopt: there are none or it is not among them.
std::optional<std::string_view> credential(const sip::Message& message, std::string_view wanted) {
  const auto* field = message.find(HeaderName::ProxyAuthorization);
  if (!field) field = message.find(HeaderName::Authorization);
  if (!field) return std::nullopt;
  std::string_view rest = message.value(*field);
  rest.remove_prefix(std::min(rest.find(' '), rest.size()));  // the scheme
  while (!rest.empty()) {
    std::size_t end = 0;
    while (end < rest.size() && rest[end] != ',') {
      const std::size_t quoted = rest[end] == '"' ? sip::chars::quoted_string(rest.substr(end)) : 1;
      if (quoted == 0) return std::nullopt;
      end += quoted;
    }
    const std::string_view piece = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos || !equals_ignore_case(sip::chars::trim(piece.substr(0, equals)), wanted)) continue;
    std::string_view value = sip::chars::trim(piece.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

V credential_or_null(Call& call, std::string_view name) {
  return text_or_null(credential(call.message(), name).value_or(std::string_view{}));
}
// The username of credentials may be user@domain.
V credential_user(Call& call, bool domain) {
  const auto name = credential(call.message(), "username").value_or(std::string_view{});
  const std::size_t at = name.find('@');
  if (!domain) return text_or_null(name.substr(0, at));
  return at == std::string_view::npos ? credential_or_null(call, "realm") : text_or_null(name.substr(at + 1));
}

// ---- Via ----

V via_field(const sip::Via& via, Call& call, int keyword) {
  switch (keyword) {
    case 0:
      return text_or_null(via.host);
    case 1:
      return V::of(std::int64_t{via.port});
    case 2:
      return text_or_null(via.transport);
    case 3:
      return text_or_null(via.branch);
    case 4:
      return text_or_null(via.rport);
    case 5:
      return text_or_null(via.received);
    case 6:
      return text_or_null(via.params.starts_with(';') ? via.params.substr(1) : via.params);
    default:
      call.vm.scratch = via.ttl ? std::to_string(*via.ttl) : std::string();
      return text_or_null(call.vm.scratch);
  }
}
// The Via with that index, the last one for -1.
template <int wanted>
V get_via(Call& call, P variable) {
  int index = 0;
  std::string_view found;
  for (const auto& value : call.message().values(HeaderName::Via)) {
    if (wanted < 0 || index == wanted) found = value.text;
    ++index;
  }
  const auto via = found.empty() ? std::nullopt : sip::Via::parse(found);
  return via ? via_field(*via, call, variable.keyword) : V{};
}
constexpr std::string_view via_fields = "host port proto branch rport received params ttl";

// ---- the whole ----

V get_part(Call& call, P variable) {
  const auto& message = call.message();
  const std::string_view bytes = message.bytes();
  const auto first_line = sip::chars::trim_right(bytes.substr(0, message.headers_begin()));
  const auto headers = bytes.substr(message.headers_begin(), message.headers_end() - message.headers_begin());
  switch (variable.keyword) {
    case 0:
      return V::of(static_cast<std::int64_t>(bytes.size()));
    case 1:
      return V::of(bytes);
    case 2:
      return text_or_null(message.body());
    case 3:
      return V::of(headers);
    case 4:
      return V::of(first_line);
    default:
      return V::of(bytes.substr(message.headers_begin()));
  }
}

// Smallest or largest expiry of Expires and the Contacts.
V expires(Call& call, P variable) {
  const auto& message = call.message();
  std::optional<std::uint32_t> found;
  const bool largest = variable.keyword == 1;
  const auto take = [&](std::optional<std::uint32_t> seconds) {
    if (seconds && (!found || (largest ? *seconds > *found : *seconds < *found))) found = seconds;
  };
  if (const auto* field = message.find(HeaderName::Expires)) take(sip::chars::number<std::uint32_t>(message.value(*field)));
  for (const auto& value : message.values(HeaderName::Contact)) {
    const auto contact = sip::NameAddr::parse(value.text);
    if (contact) take(sip::chars::number<std::uint32_t>(contact->param("expires").value_or(std::string_view{})));
  }
  return found ? V::of(std::int64_t{*found}) : V{};
}

V body_version(Call& call) {
  for (std::string_view rest = call.message().body(); !rest.empty();) {
    const auto line = sip::next_line(rest, 0);
    const auto text = rest.substr(0, line.end ? line.content_end : rest.size());
    if (text.starts_with("o=")) {  // o=user session version …
      std::string_view words = text.substr(2);
      for (int i = 0; i < 2; ++i) words.remove_prefix(std::min(words.find(' '), words.size() - 1) + (words.empty() ? 0 : 1));
      const auto version = sip::chars::number<std::int64_t>(words.substr(0, words.find(' ')));
      return version ? V::of(*version) : V{};
    }
    if (line.end == 0) break;
    rest.remove_prefix(line.end);
  }
  return {};
}

const VariableClass table[] = {
    {"rm",
     {},
     "method; in a reply that of CSeq",
     [](Call& c, P) {
       if (c.message().is_request()) return V::of(c.message().method_name());
       return c.message().cseq() ? V::of(c.message().cseq()->method_name) : V{};
     }},
    {"rs",
     {},
     "status code of the reply, a number",
     [](Call& c, P) { return c.message().is_response() ? V::of(std::int64_t{c.context().status}) : V{}; }},
    {"rr", {}, "reason phrase of the reply", [](Call& c, P) { return c.message().is_response() ? V::of(c.message().reason()) : V{}; }},
    {"rv", {}, "SIP version of the first line", [](Call& c, P) { return V::of(c.message().version()); }},
    {"mt", {}, "1 for a request, 2 for a reply", [](Call& c, P) { return V::of(std::int64_t{c.message().is_request() ? 1 : 2}); }},
    {"mb", {}, "the message as received", [](Call& c, P) { return V::of(c.message().bytes()); }},
    {"ml", {}, "length of the message in bytes", [](Call& c, P) { return V::of(static_cast<std::int64_t>(c.message().bytes().size())); }},
    {"msg", VariableArgument::Keyword,
     "a part of the message: len its length, buf all, body, hdrs the headers, fline the first line, lpart all but the first line", get_part,
     nullptr, false, "len buf body hdrs fline lpart"},
    {"rb", {}, "body", [](Call& c, P) { return text_or_null(c.message().body()); }},
    {"bs", {}, "length of the body in bytes", [](Call& c, P) { return V::of(static_cast<std::int64_t>(c.message().body().size())); }},
    {"cl",
     {},
     "Content-Length, a number; null without one",
     [](Call& c, P) {
       const auto* field = c.message().find(HeaderName::ContentLength);
       const auto length = field ? sip::chars::number<std::int64_t>(c.message().value(*field)) : std::nullopt;
       return length ? V::of(*length) : V{};
     }},
    {"sdp", VariableArgument::Keyword, "of a session description: body the whole, sess_version the version of its origin",
     [](Call& c, P p) { return p.keyword == 0 ? text_or_null(c.message().body()) : body_version(c); }, nullptr, false, "body sess_version"},
    {"ci", {}, "Call-ID", [](Call& c, P) { return text_or_null(c.message().call_id()); }},
    {"cs",
     {},
     "number of CSeq as text",
     [](Call& c, P) {
       const auto* cseq = c.message().cseq();
       if (!cseq) return V{};
       c.vm.scratch = std::to_string(cseq->number);
       return V::of(c.vm.scratch);
     }},
    {"csb", {}, "value of CSeq", [](Call& c, P) { return first_header(c, HeaderName::CSeq); }},
    {"ua", {}, "User-Agent", [](Call& c, P) { return first_header(c, HeaderName::UserAgent); }},
    {"ct", {}, "first Contact header", [](Call& c, P) { return first_header(c, HeaderName::Contact); }},
    {"cT", {}, "Content-Type", [](Call& c, P) { return first_header(c, HeaderName::ContentType); }},
    {"expires", VariableArgument::Keyword, "the smallest or largest expiry of Expires and Contact, a number", expires, nullptr, false,
     "min max"},
    {"hdr", VariableArgument::Name,
     "`$hdr(name)`: the first header of that name as received; `$(hdr(name)[n])` the n-th, negative from the last, `[*]` all", get_header,
     nullptr, true},
    {"hfl", VariableArgument::Name, "the same as `$hdr`", get_header, nullptr, true},
    {"hdrc", VariableArgument::Name, "`$hdrc(name)`: how many headers of that name there are", count_headers},
    {"hflc", VariableArgument::Name, "the same as `$hdrc`", count_headers},
    {"ai", {}, "URI of P-Asserted-Identity", address_of<HeaderName::PAssertedIdentity, AddressPart::Uri>},
    {"pu", {}, "URI of P-Preferred-Identity", address_of<HeaderName::PPreferredIdentity, AddressPart::Uri>},
    {"pU", {}, "user of P-Preferred-Identity", address_of<HeaderName::PPreferredIdentity, AddressPart::User>},
    {"pd", {}, "host of P-Preferred-Identity", address_of<HeaderName::PPreferredIdentity, AddressPart::Host>},
    {"pn", {}, "display name of P-Preferred-Identity", address_of<HeaderName::PPreferredIdentity, AddressPart::Display>},
    {"di", {}, "URI of Diversion", address_of<HeaderName::Diversion, AddressPart::Uri>},
    {"dir", {}, "reason of Diversion", address_of<HeaderName::Diversion, AddressPart::Reason>},
    {"dip", {}, "privacy of Diversion", address_of<HeaderName::Diversion, AddressPart::Privacy>},
    {"rt", {}, "URI of Refer-To", address_of<HeaderName::ReferTo, AddressPart::Uri>},
    {"re", {}, "URI of Remote-Party-ID", remote_party},
    {"au", {}, "user name of the credentials", [](Call& c, P) { return credential_or_null(c, "username"); }},
    {"aU", {}, "the same without its domain", [](Call& c, P) { return credential_user(c, false); }},
    {"ad", {}, "domain of the user name of the credentials, or their realm", [](Call& c, P) { return credential_user(c, true); }},
    {"ar", {}, "realm of the credentials", [](Call& c, P) { return credential_or_null(c, "realm"); }},
    {"adu", {}, "URI of the credentials", [](Call& c, P) { return credential_or_null(c, "uri"); }},
    {"aa", {}, "algorithm of the credentials", [](Call& c, P) { return credential_or_null(c, "algorithm"); }},
    {"via0", VariableArgument::Keyword, "field of the top Via", get_via<0>, nullptr, false, via_fields},
    {"via1", VariableArgument::Keyword, "field of the second Via", get_via<1>, nullptr, false, via_fields},
    {"viaZ", VariableArgument::Keyword, "field of the last Via", get_via<-1>, nullptr, false, via_fields},
};

}  // namespace

std::span<const VariableClass> message_variables() {
  return table;
}

}  // namespace perdure::script
