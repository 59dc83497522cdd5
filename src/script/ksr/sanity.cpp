// KSR.sanity: checks beyond those that every message passes before the script sees it (RFC 3261 16.3, sip::Message::check).
#include "base/case.hpp"
#include "script/ksr/function.hpp"
#include "sip/chars.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace perdure::script {
namespace {

// Kamailio's bits. Not listed: what check() has refused already (1 version, 4 required headers, 8 and 16 Via, 32 and 64 CSeq,
// 128 Content-Length) and what belongs to authentication (2048, 8192).
constexpr std::int64_t scheme = 2, expires = 256, proxy_require = 512, uris = 1024, duplicate_tags = 4096;
constexpr std::int64_t default_checks = 17895, default_uris = 7;

struct Refusal {
  std::uint16_t code = 0;
  std::string_view reason;
};

Refusal check_uris(const sip::Message& message, std::int64_t which) {
  if ((which & 1) && !message.uri()) return {400, "Bad Request URI"};
  if ((which & 2) && !message.from_uri()) return {400, "Bad From URI"};
  if ((which & 4) && !message.to_uri()) return {400, "Bad To URI"};
  if (which & 8)
    for (const auto& value : message.values(sip::HeaderName::Contact)) {
      const auto address = sip::NameAddr::parse(value.text);
      if (value.text != "*" && (!address || !sip::Uri::parse(address->uri))) return {400, "Bad Contact URI"};
    }
  return {};
}

bool doubled_tag(const sip::NameAddr* address) {
  if (!address) return false;
  std::size_t tags = 0;
  sip::ParamReader reader(address->params);
  while (const auto param = reader.next()) tags += equals_ignore_case(param->name, "tag");
  return tags > 1;
}

Refusal check(const sip::Message& message, std::int64_t checks, std::int64_t which_uris) {
  const auto* uri = message.uri();
  if ((checks & scheme) && uri && uri->scheme == sip::Scheme::Other) return {416, "Unsupported URI Scheme"};
  if (checks & expires)
    if (const auto* field = message.find(sip::HeaderName::Expires); field && !sip::chars::number<std::uint32_t>(message.value(*field)))
      return {400, "Bad Expires Header"};
  if ((checks & proxy_require) && message.find(sip::HeaderName::ProxyRequire)) return {420, "Bad Extension"};
  if (checks & uris)
    if (const auto refusal = check_uris(message, which_uris); refusal.code) return refusal;
  if ((checks & duplicate_tags) && (doubled_tag(message.from()) || doubled_tag(message.to()))) return {400, "Multiple Tags"};
  return {};
}

int sanity_check(Call& call) {
  auto& context = call.context();
  if (!call.message().is_request()) return 1;
  const auto refusal = check(call.message(), call.has(0) ? call.number(0) : default_checks, call.has(1) ? call.number(1) : default_uris);
  if (!refusal.code) return 1;
  if (refusal.code == 420) {  // RFC 3261 16.3 item 5
    context.upstream_headers += "Unsupported: ";
    bool first = true;
    for (const auto& value : call.message().values(sip::HeaderName::ProxyRequire)) {
      if (!first) context.upstream_headers += ", ";
      context.upstream_headers += value.text;
      first = false;
    }
    context.upstream_headers += "\r\n";
  }
  (void)context.send_reply(refusal.code, refusal.reason);
  return -1;
}

const Function table[] = {
    {"sanity", "sanity_check", "[int checks], [int uris]", Returns::Integer, routes::request | routes::reply,
     "-1: the request is not well-formed and has been answered with 400, 416 or 420. `checks` are Kamailio's bits: 2 scheme, 256 Expires, "
     "512 Proxy-Require, 1024 URIs, 4096 doubled tags; `uris`: 1 Request-URI, 2 From, 4 To, 8 Contact. Defaults: 17895 and 7.",
     "Version, required headers, Via, CSeq and Content-Length (bits 1, 4, 8, 16, 32, 64, 128) have been checked before the script runs.",
     sanity_check},
    {"sanity", "sanity_check_defaults", "", Returns::Integer, routes::request | routes::reply, "sanity_check with the defaults.", "",
     sanity_check},
};

}  // namespace

std::span<const Function> sanity_functions() {
  return table;
}

}  // namespace perdure::script
