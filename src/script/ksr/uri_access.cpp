#include "script/ksr/uri_access.hpp"

#include "base/case.hpp"
#include "sip/name_addr.hpp"

namespace perdure::script {

std::string_view request_uri(const Call& call) {
  const auto& context = call.context();
  if (!context.message->is_request()) return {};
  return context.target.uri.empty() ? context.message->request_uri() : std::string_view(context.target.uri);
}

bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool set_request_uri(Call& call, std::string_view uri) {
  if (!sip::Uri::parse(uri)) {
    (void)call.fail("\"" + std::string(uri) + "\" is no URI");
    return false;
  }
  call.context().target.uri.assign(uri);
  return true;
}

bool set_request_uri_part(Call& call, UriPart part, std::string_view text) {
  const auto uri = sip::Uri::parse(request_uri(call));
  if (!uri || (uri->scheme != sip::Scheme::Sip && uri->scheme != sip::Scheme::Sips)) {
    (void)call.fail("the Request-URI is no sip URI");
    return false;
  }
  std::string out(uri->scheme_name);
  out += ':';
  const std::string_view user = part == UriPart::User ? text : uri->user;
  if (!user.empty()) {
    out += user;
    if (!uri->password.empty()) out.append(":").append(uri->password);
    out += '@';
  }
  out += part == UriPart::Host ? text : uri->host;
  const std::string port = part == UriPart::Port ? std::string(text) : uri->port ? std::to_string(uri->port) : std::string();
  if (!port.empty()) out.append(":").append(port);
  out += uri->params;
  if (uri->has_headers) out.append("?").append(uri->headers);
  return set_request_uri(call, out);
}

bool set_destination_uri(Call& call, std::string_view uri) {
  if (!sip::Uri::parse(uri)) {
    (void)call.fail("\"" + std::string(uri) + "\" is no URI");
    return false;
  }
  call.context().target.destination_uri.assign(uri);
  return true;
}

namespace {
bool same_header(const sip::Message& message, const sip::HeaderField& field, sip::HeaderName known, std::string_view name) {
  return known != sip::HeaderName::Other ? field.name == known
                                         : field.name == sip::HeaderName::Other && equals_ignore_case(message.name(field), name);
}
}  // namespace

std::size_t header_count(const sip::Message& message, std::string_view name) {
  const auto known = sip::header_name_from(name);
  std::size_t count = 0;
  for (const auto& field : message.headers()) count += same_header(message, field, known, name);
  return count;
}

const sip::HeaderField* header_at(const sip::Message& message, std::string_view name, int index) {
  if (index < 0) index += static_cast<int>(header_count(message, name));
  if (index < 0) return nullptr;
  const auto known = sip::header_name_from(name);
  for (const auto& field : message.headers())
    if (same_header(message, field, known, name) && index-- == 0) return &field;
  return nullptr;
}

}  // namespace perdure::script
