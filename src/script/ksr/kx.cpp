// KSR.kx: attributes of the message without the detour by a variable's name.
#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using Text = std::string_view;

// Empty: null.
Text user_of(Text uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? parsed->user : Text{};
}
Text host_of(Text uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? parsed->host : Text{};
}
Text from_uri(Call& call) {
  return call.message().from() ? call.message().from()->uri : Text{};
}
Text to_uri(Call& call) {
  return call.message().to() ? call.message().to()->uri : Text{};
}
Text original_uri(Call& call) {
  return call.message().is_request() ? call.message().request_uri() : Text{};
}
Text current_uri(Call& call) {
  return request_uri(call);
}
Text destination_uri(Call& call) {
  return call.context().target.destination_uri;
}
Text user_agent(Call& call) {
  const auto* field = call.message().find(sip::HeaderName::UserAgent);
  return field ? call.message().value(*field) : Text{};
}
Text method(Call& call) {
  if (call.message().is_request()) return call.message().method_name();
  return call.message().cseq() ? call.message().cseq()->method_name : Text{};
}
Text call_id(Call& call) {
  return call.message().call_id();
}
Text body(Call& call) {
  return call.message().body();
}
Text source_address(Call& call) {
  call.vm.scratch = call.context().received->source.ip_text();
  return call.vm.scratch;
}
const proxy::LocalSocket& socket(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket];
}
Text received_address(Call& call) {
  call.vm.scratch = socket(call).address.ip_text();
  return call.vm.scratch;
}
Text transport(Call& call) {
  return name(socket(call).transport);
}

enum class Null { Nil, Empty, Print };
template <Text (*get)(Call&), Null null>
int give(Call& call) {
  const Text text = get(call);
  if (!text.empty()) return call.give(text);
  if constexpr (null == Null::Nil) return 1;
  return call.give(null == Null::Empty ? Text{} : Text{"<null>"});
}
template <Text (*uri)(Call&)>
Text user(Call& call) {
  return user_of(uri(call));
}
template <Text (*uri)(Call&)>
Text host(Call& call) {
  return host_of(uri(call));
}

int status(Call& call) {
  return call.message().is_response() ? call.give(std::int64_t{call.message().status()}) : 1;
}

constexpr auto value = Returns::Value;
constexpr Routes any = routes::any;

// get_name, gete_name (empty for null), getw_name (<null> for null): three rows each.
#define PERDURE_KX(NAME, GET, TEXT)                                                                                 \
  {"kx", "get_" NAME, "", value, any, TEXT ", nil if there is none.", "", give<GET, Null::Nil>},                    \
      {"kx", "gete_" NAME, "", value, any, TEXT ", an empty text if there is none.", "", give<GET, Null::Empty>}, { \
    "kx", "getw_" NAME, "", value, any, TEXT ", `<null>` if there is none.", "", give<GET, Null::Print>             \
  }

const Function table[] = {
    {"kx", "get_ruri", "", value, any, "The Request-URI as the script has changed it, nil in a reply.", "", give<current_uri, Null::Nil>},
    {"kx", "get_ouri", "", value, any, "The Request-URI as received, nil in a reply.", "", give<original_uri, Null::Nil>},
    {"kx", "get_furi", "", value, any, "The From URI.", "", give<from_uri, Null::Nil>},
    {"kx", "get_turi", "", value, any, "The To URI.", "", give<to_uri, Null::Nil>},
    PERDURE_KX("duri", destination_uri, "The destination URI"),
    PERDURE_KX("ruser", user<current_uri>, "The user of the Request-URI"),
    PERDURE_KX("rhost", host<current_uri>, "The host of the Request-URI"),
    PERDURE_KX("fuser", user<from_uri>, "The user of the From URI"),
    PERDURE_KX("fhost", host<from_uri>, "The host of the From URI"),
    PERDURE_KX("tuser", user<to_uri>, "The user of the To URI"),
    PERDURE_KX("thost", host<to_uri>, "The host of the To URI"),
    PERDURE_KX("ua", user_agent, "The User-Agent"),
    PERDURE_KX("body", body, "The body"),
    {"kx", "get_method", "", value, any, "The method; of a reply that of its CSeq.", "", give<method, Null::Nil>},
    {"kx", "get_callid", "", value, any, "The Call-ID.", "", give<call_id, Null::Nil>},
    {"kx", "get_status", "", value, any, "The status code of the reply, a number; nil in a request.", "", status},
    {"kx", "get_srcip", "", value, any, "The source address.", "", give<source_address, Null::Nil>},
    {"kx", "get_srcport", "", value, any, "The source port, a number.", "",
     [](Call& call) { return call.give(std::int64_t{call.context().received->source.port}); }},
    {"kx", "get_rcvip", "", value, any, "The address that the message was received on.", "", give<received_address, Null::Nil>},
    {"kx", "get_rcvport", "", value, any, "The port that the message was received on, a number.", "",
     [](Call& call) { return call.give(std::int64_t{socket(call).address.port}); }},
    {"kx", "get_proto", "", value, any, "The transport that the message was received by: `udp`.", "", give<transport, Null::Nil>},
    {"kx", "get_msglen", "", value, any, "The length of the message in bytes.", "",
     [](Call& call) { return call.give(static_cast<std::int64_t>(call.message().bytes().size())); }},
};

#undef PERDURE_KX

}  // namespace

std::span<const Function> kx_functions() {
  return table;
}

}  // namespace perdure::script
