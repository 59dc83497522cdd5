// What is refused while the server drains. Everything inside a dialog, and every transaction that is open, goes on as ever.
#include "proxy/drain.hpp"

#include <string>

#include "proxy/core.hpp"
#include "sip/builder.hpp"

namespace perdure::proxy {

bool Proxy::Impl::is_refused_by_drain(const sip::Message& request) const {
  const auto* to = request.to();
  if (!to || !to->tag.empty()) return false;
  switch (request.method()) {
    case sip::Method::Invite:
      return !request.find("Replaces");  // RFC 3891: it takes the place of a dialog that is there, as a transfer does
    case sip::Method::Subscribe:
    case sip::Method::Refer:
      return true;
    case sip::Method::Register:
      return drain_.registrations;
    case sip::Method::Options: {  // whether this server takes calls; those for a user behind it are not asked of it
      const sip::Uri* uri = request.uri();
      return uri && uri->user.empty() && is_myself(uri->host, uri->port);
    }
    default:
      return false;
  }
}

int Proxy::Impl::refuse_by_drain(RoutingContext& context) {
  if (drain_.retry_after_s) context.upstream_headers += "Retry-After: " + std::to_string(drain_.retry_after_s) + "\r\n";
  ++counters_.drain_refusals;
  return context.send_reply(drain_.code, sip::default_reason(drain_.code));
}

}  // namespace perdure::proxy
