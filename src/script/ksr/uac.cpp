// KSR.uac: other addresses in From and To than the caller wrote, and requests of our own.
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"

namespace perdure::script {
namespace {

using Address = proxy::RoutingContext::Address;

template <Address which>
int replace(Call& call, std::string_view display, std::string_view uri) {
  if (!is_one_line(display) || !is_one_line(uri)) return call.fail("a line break cannot stand there");
  if (!uri.empty() && (!sip::Uri::parse(uri) || uri.find_first_of("<>\" ") != std::string_view::npos))
    return call.fail("\"" + std::string(uri) + "\" is no URI");
  const std::string text = std::string(display) + " <sip:a@a>";
  if (!display.empty() && !sip::NameAddr::parse(text)) return call.fail("\"" + std::string(display) + "\" is no display name");
  return call.context().replace_address(which, display, uri);
}

template <Address which>
int replace_both(Call& call) {
  return replace<which>(call, call.text(0), call.text(1));
}
template <Address which>
int replace_uri(Call& call) {
  return replace<which>(call, {}, call.text(0));
}
template <Address which>
int restore(Call& call) {
  return call.context().restore_address(which);
}

// As Kamailio has it: without To the Request-URI, without From nothing is sent.
int send(Call& call) {
  const auto& [method, ruri, furi, turi, headers, body, ouri, socket, call_id] = call.vm.uac_request;
  for (const auto* text : {&method, &ruri, &furi, &turi, &ouri, &socket, &call_id})
    if (!is_one_line(*text)) return call.fail("a line break cannot stand there");
  if (method.empty() || ruri.empty() || furi.empty()) return -1;
  std::string lines = "From: <" + furi + ">\r\nTo: <" + (turi.empty() ? ruri : turi) + ">\r\n";
  if (!call_id.empty()) lines += "Call-ID: " + call_id + "\r\n";
  lines += headers;
  return call.context().send_request({.method = method, .uri = ruri, .next_hop = ouri, .socket = socket, .headers = lines, .body = body});
}

constexpr auto integer = Returns::Integer;
constexpr Routes replacing = routes::relaying | routes::branch;
constexpr std::string_view shown = "What is forwarded without a transaction gets its replies as they come.";

const Function table[] = {
    {"uac", "uac_replace_from", "string display, string uri", integer, replacing,
     "The request leaves with that display name, as it is to be written, and that URI in From; an empty one stays as it is. Replies have "
     "the caller's From again, and with record_route later requests of the dialog are translated both ways (`uac.restore_mode`), over a "
     "restart, too, by the parameters `vsf` and `vst` of our Route, which Kamailio writes in the same way.",
     shown, replace_both<Address::From>},
    {"uac", "uac_replace_from_uri", "string uri", integer, replacing, "The same for the URI alone.", shown, replace_uri<Address::From>},
    {"uac", "uac_replace_to", "string display, string uri", integer, replacing, "As uac_replace_from, for To.", shown,
     replace_both<Address::To>},
    {"uac", "uac_replace_to_uri", "string uri", integer, replacing, "The same for the URI alone.", shown, replace_uri<Address::To>},
    {"uac", "uac_restore_from", "", integer, routes::request,
     "After loose_route, with `uac.restore_mode = \"manual\"`: what uac_replace_from did in this dialog is done to this request. -1: "
     "nothing in the Route says how.",
     "With \"auto\" loose_route has done it.", restore<Address::From>},
    {"uac", "uac_restore_to", "", integer, routes::request, "The same for uac_replace_to.", "As uac_restore_from.", restore<Address::To>},
    {"uac", "uac_req_send", "", integer, routes::any,
     "Sends the request that `$uac_req(method)`, `ruri`, `furi`, `turi`, `hdrs`, `body`, `ouri` (next hop), `sock`, `callid` describe, and "
     "repeats it till an answer comes, also over a restart. -1: method, ruri or furi is missing, or it cannot be sent.",
     "INVITE, ACK and CANCEL are refused; no authentication, and no event route for the answer.", send},
};

}  // namespace

std::span<const Function> uac_functions() {
  return table;
}

}  // namespace perdure::script
