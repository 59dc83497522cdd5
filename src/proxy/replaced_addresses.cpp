// From and To that a script has replaced: the other side of the call knows the new ones, ours the old ones, in the dialog too. Within a
// transaction its request says what they were; between requests our Record-Route carries the two URIs of each (Kamailio's vsf and vst).
#include <string>

#include "base/checksum.hpp"
#include "proxy/core.hpp"
#include "proxy/uri_mask.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace perdure::proxy {

namespace {

using Address = RoutingContext::Address;

constexpr std::string_view parameter_of(Address which) {
  return which == Address::From ? ";vsf=" : ";vst=";
}
constexpr std::uint16_t switch_of(Address which) {
  return which == Address::From ? transaction::from_replaced : transaction::to_replaced;
}

// A header value with that URI, and with the parameters that it had.
std::string with_uri(const sip::NameAddr& address, std::string_view display, std::string_view uri) {
  std::string text(display);
  if (!text.empty()) text += ' ';
  return text.append("<").append(uri).append(">").append(address.params);
}

void drop_parameter(std::string& params, std::string_view parameter) {
  const auto begin = params.find(parameter);
  if (begin != std::string::npos) params.erase(begin, std::min(params.find(';', begin + 1), params.size()) - begin);
}

}  // namespace

// Another one for each dialog: `tag` is that of its caller, which our Record-Route carries as ftag.
std::uint64_t Proxy::Impl::mask_seed(std::string_view tag) const {
  if (options_.restore_password.empty()) return 0;
  return checksum(tag, checksum(options_.restore_password)) | 1;
}

int Proxy::Impl::replace_address(RoutingContext& context, Address which, std::string_view display, std::string_view uri) {
  const sip::Message& request = *context.message;
  const auto* address = which == Address::From ? request.from() : request.to();
  const auto* field = request.find(which == Address::From ? sip::HeaderName::From : sip::HeaderName::To);
  if (!address || !field) return -1;
  const std::string_view new_uri = uri.empty() ? address->uri : uri;
  if (new_uri != address->uri && options_.restore_addresses != ProxyOptions::RestoreAddresses::None) {
    const auto* from = request.from();
    const auto mask = mask_uris(address->uri, new_uri, mask_seed(from ? from->tag : std::string_view{}));
    if (!mask) return -1;
    drop_parameter(context.record_route_params, parameter_of(which));
    context.record_route_params.append(parameter_of(which)).append(*mask);
  }
  context.edits->replace_value(*field, with_uri(*address, display.empty() ? address->display : display, new_uri));
  (context.work ? context.work->header.switches : context.switches) |= switch_of(which);
  return 1;
}

// What our Route says of the address that was `which` in the request that made the dialog.
int Proxy::Impl::restore_address(RoutingContext& context, Address which) {
  const auto mask = sip::find_param(context.route_params, parameter_of(which).substr(1, 3));
  const sip::Message& request = *context.message;
  const auto *from = request.from(), *to = request.to();
  if (!mask || !from || !to) return -1;
  const auto ftag = sip::find_param(context.route_params, "ftag");
  const bool upstream = ftag && !ftag->empty() && !from->tag.empty() && *ftag != from->tag;
  // A request that comes back has the two the other way round.
  const bool is_from = (which == Address::From) != upstream;
  const auto* address = is_from ? from : to;
  const auto other = unmask_uri(address->uri, *mask, mask_seed(ftag ? *ftag : from->tag));
  if (!other) return -1;
  context.edits->replace_value(*request.find(is_from ? sip::HeaderName::From : sip::HeaderName::To),
                               with_uri(*address, address->display, *other));
  (context.work ? context.work->header.switches : context.switches) |= switch_of(is_from ? Address::From : Address::To);
  return 1;
}

void Proxy::Impl::restore_addresses(RoutingContext& context) {
  if (context.route_params.find(";vs") == std::string::npos && !context.route_params.starts_with("vs")) return;
  (void)restore_address(context, Address::From);
  (void)restore_address(context, Address::To);
}

void Proxy::Impl::restore_in_response(const Work& work, const sip::Message& response, sip::Edits& edits, Outputs& outputs) {
  const auto switches = work.header.switches;
  if (!(switches & (transaction::from_replaced | transaction::to_replaced)) || !work.header.request) return;
  FrameScope scope(*this, outputs);
  const sip::Message& request = scope.frame.message;
  if (!scope.frame.message.parse(read(work, work.header.request))) return;
  const auto *field = response.find(sip::HeaderName::From), *was = request.find(sip::HeaderName::From);
  if ((switches & transaction::from_replaced) && field && was) edits.replace_value(*field, request.value(*was));
  field = response.find(sip::HeaderName::To);
  const auto *to = request.to(), *now = response.to();
  if (!(switches & transaction::to_replaced) || !field || !to || !now) return;
  // The tag is that of the answer.
  sip::NameAddr address = *to;
  address.params = now->params;
  edits.replace_value(*field, with_uri(address, to->display, to->uri));
}

int RoutingContext::replace_address(Address which, std::string_view display, std::string_view uri) {
  return proxy.impl_->replace_address(*this, which, display, uri);
}
int RoutingContext::restore_address(Address which) {
  return proxy.impl_->restore_address(*this, which);
}

}  // namespace perdure::proxy
