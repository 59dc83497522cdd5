// KSR.kx: attributes of the message without the detour by a variable's name.
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/receiving_socket.hpp"
#include "script/vm.hpp"
#include "sip/name_addr.hpp"

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
Text received_address(Call& call) {
  call.vm.scratch = receiving_socket(call).address.ip_text();
  return call.vm.scratch;
}
Text transport(Call& call) {
  return name(receiving_socket(call).transport);
}

Text contact_uri(Call& call) {
  for (const auto& value : call.message().values(sip::HeaderName::Contact)) {
    const auto address = sip::NameAddr::parse(value.text);
    return address ? address->uri : Text{};
  }
  return {};
}
Text next_hop_uri(Call& call) {
  return call.context().target.destination_uri.empty() ? request_uri(call) : Text(call.context().target.destination_uri);
}
Text source_uri(Call& call) {
  call.vm.scratch = "sip:" + call.context().received->source.text();
  const Transport by = receiving_socket(call).transport;
  if (by != Transport::Udp) call.vm.scratch.append(";transport=").append(name(by));
  return call.vm.scratch;
}
Text source_socket(Call& call) {
  call.vm.scratch = std::string(name(receiving_socket(call).transport)) + ":" + call.context().received->source.text();
  return call.vm.scratch;
}
Text advertised_socket(Call& call) {
  const auto& one = receiving_socket(call);
  call.vm.scratch = std::string(name(one.transport)) + ":" + one.advertised_host + ":" + std::to_string(one.advertised_port);
  return call.vm.scratch;
}
Text advertised_address(Call& call) {
  return receiving_socket(call).advertised_host;
}
// The user name of the credentials, as $au.
Text credentials_user(Call& call) {
  std::string error;
  const auto* variable = call.vm.pseudo_variable("$au", error);
  return variable ? value_of(call, *variable).text : Text{};
}
Text status_text(Call& call) {
  if (!call.message().is_response()) return {};
  call.vm.scratch = std::to_string(call.context().status);
  return call.vm.scratch;
}
Text whole(Call& call) {
  return call.message().bytes();
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
  return call.message().is_response() ? call.context().status : -1;
}

// Kamailio's numbers.
int transport_number(Call& call) {
  constexpr int numbers[] = {1, 2, 3, 5, 6};
  return numbers[static_cast<std::size_t>(receiving_socket(call).transport)];
}

const char* environment(Call& call) {
  return std::getenv(std::string(call.text(0)).c_str());
}
int environment_number(Call& call) {
  const char* text = environment(call);
  std::int64_t number = 0;
  if (text) std::from_chars(text, text + std::strlen(text), number);
  return call.give(number);
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
    {"kx", "gete_furi", "", value, any, "The From URI, an empty text if there is none.", "", give<from_uri, Null::Empty>},
    {"kx", "getw_furi", "", value, any, "The From URI, `<null>` if there is none.", "", give<from_uri, Null::Print>},
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
    {"kx", "get_status", "", Returns::Integer, any, "The status code of the reply; -1 in a request.", "", status},
    {"kx", "gets_status", "", value, any, "The status code of the reply as text, nil in a request.", "", give<status_text, Null::Nil>},
    PERDURE_KX("cturi", contact_uri, "The URI of the first Contact"),
    PERDURE_KX("au", credentials_user, "The user name of the credentials"),
    {"kx", "get_nhuri", "", value, any, "The destination URI, or else the Request-URI.", "", give<next_hop_uri, Null::Nil>},
    {"kx", "get_srcuri", "", value, any, "The URI of the source address, with the transport unless it is UDP.", "",
     give<source_uri, Null::Nil>},
    {"kx", "get_srcaddr_sock", "", value, any, "The source as a socket, `udp:192.0.2.1:5060`.", "", give<source_socket, Null::Nil>},
    {"kx", "get_rcvadvip", "", value, any, "The advertised address of the socket that the message was received on.", "",
     give<advertised_address, Null::Nil>},
    {"kx", "get_rcvadvport", "", value, any, "The advertised port of that socket, a number.", "",
     [](Call& call) { return call.give(std::int64_t{receiving_socket(call).advertised_port}); }},
    {"kx", "get_rcvaddr_sock", "", value, any, "The advertised address of that socket, `udp:192.0.2.1:5060`.", "",
     give<advertised_socket, Null::Nil>},
    {"kx", "get_protoid", "", Returns::Integer, any, "The transport as a number: 1 UDP, 2 TCP, 3 TLS, 5 WS, 6 WSS.", "", transport_number},
    {"kx", "get_bodylen", "", value, any, "The length of the body in bytes.", "",
     [](Call& call) { return call.give(static_cast<std::int64_t>(call.message().body().size())); }},
    {"kx", "get_timestamp", "", value, any, "The time in seconds since 1970.", "",
     [](Call& call) { return call.give(call.vm.wall_us() / 1'000'000); }},
    {"kx", "get_conid", "", value, any, "The number of the connection, -1 for a datagram.", "",
     [](Call& call) {
       const auto connection = call.context().received->connection;
       return call.give(connection ? static_cast<std::int64_t>(connection) : std::int64_t{-1});
     }},
    {"kx", "get_msgtype", "", Returns::Integer, any, "1 for a request, 2 for a reply.", "",
     [](Call& call) { return call.message().is_request() ? 1 : 2; }},
    {"kx", "get_msgbuf", "", value, any, "The message as received.", "", give<whole, Null::Nil>},
    {"kx", "get_env", "string name", value, any, "An environment variable of the server, an empty text if there is none.", "",
     [](Call& call) {
       const char* text = environment(call);
       return call.give(std::string_view(text ? text : ""));
     }},
    {"kx", "get_envn", "string name", value, any, "The same as a number, 0 if it is none.", "", environment_number},
    {"kx", "get_srcip", "", value, any, "The source address.", "", give<source_address, Null::Nil>},
    {"kx", "get_srcport", "", value, any, "The source port, a number.", "",
     [](Call& call) { return call.give(std::int64_t{call.context().received->source.port}); }},
    {"kx", "get_rcvip", "", value, any, "The address that the message was received on.", "", give<received_address, Null::Nil>},
    {"kx", "get_rcvport", "", value, any, "The port that the message was received on, a number.", "",
     [](Call& call) { return call.give(std::int64_t{receiving_socket(call).address.port}); }},
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
