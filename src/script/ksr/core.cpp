// KSR.name: the core.
#include <utility>

#include "base/case.hpp"
#include "proxy/proxy.hpp"
#include "script/ksr/append_branch.hpp"
#include "script/ksr/log.hpp"
#include "script/ksr/uri_access.hpp"
#include "sip/name_addr.hpp"

namespace perdure::script {
namespace {

template <log::Level level>
int log_text(Call& call) {
  write_log(level, call.text(0));
  return 1;
}

template <sip::Method method>
int is(Call& call) {
  const auto& message = call.message();
  if (message.is_request()) return message.method() == method;
  return message.cseq() && message.cseq()->method == method;
}

// Methods that have no number here, by name.
template <char... letters>
int is_named(Call& call) {
  constexpr char name[] = {letters...};
  const auto& message = call.message();
  const auto method = message.is_request() ? message.method_name() : message.cseq() ? message.cseq()->method_name : std::string_view{};
  return method == std::string_view(name, sizeof name);
}

int is_method(Call& call) {
  const auto& message = call.message();
  const auto name = message.is_request() ? message.method_name() : message.cseq() ? message.cseq()->method_name : std::string_view{};
  std::string_view rest = call.text(0);
  while (!rest.empty()) {
    const std::size_t bar = rest.find('|');
    if (equals_ignore_case(rest.substr(0, bar), name)) return 1;
    rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
  }
  return -1;
}

// Kamailio's letters. Those of methods that are not SIP's (G, K, D, T, V) match nothing.
int is_method_in(Call& call) {
  const auto& message = call.message();
  const auto method = message.is_request() ? message.method() : message.cseq() ? message.cseq()->method : sip::Method::Other;
  using enum sip::Method;
  constexpr std::pair<char, sip::Method> letters[] = {{'i', Invite},   {'a', Ack},   {'b', Bye},     {'c', Cancel},    {'m', Message},
                                                      {'r', Register}, {'e', Prack}, {'p', Publish}, {'s', Subscribe}, {'n', Notify},
                                                      {'o', Options},  {'f', Refer}, {'u', Update}};
  for (const char c : call.text(0)) {
    bool known = std::string_view("gkdtv").find(to_lower(c)) != std::string_view::npos;
    for (const auto& [letter, one] : letters) {
      if (letter != to_lower(c)) continue;
      known = true;
      if (one == method) return 1;
    }
    if (!known) return call.fail(std::string("there is no method for the letter ") + c);
  }
  return -1;
}

Transport transport(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket].transport;
}
template <Transport... transports>
int by_transport(Call& call) {
  return ((transport(call) == transports) || ...);
}
// Kamailio's letters.
int is_proto(Call& call) {
  constexpr std::pair<char, Transport> letters[] = {
      {'u', Transport::Udp}, {'t', Transport::Tcp}, {'e', Transport::Tls}, {'v', Transport::Ws}, {'w', Transport::Wss}};
  for (const char c : call.text(0))
    for (const auto& [letter, one] : letters)
      if (letter == to_lower(c) && one == transport(call)) return 1;
  return -1;
}
template <Family family>
int by_family(Call& call) {
  return call.context().received->source.family == family;
}

int is_myself_text(const Call& call, std::string_view text) {
  if (text.empty()) return -1;
  const auto& context = call.context();
  if (text.find(':') != std::string_view::npos && context.is_myself_uri(text)) return 1;
  const std::string with_scheme = "sip:" + std::string(text);  // "host" or "host:port"
  const auto uri = sip::Uri::parse(with_scheme);
  return uri && context.is_myself(uri->host, uri->port) ? 1 : -1;
}
int is_myself_furi(Call& call) {
  const auto* from = call.message().from();
  return from && call.context().is_myself_uri(from->uri) ? 1 : -1;
}
int is_myself_turi(Call& call) {
  const auto* to = call.message().to();
  return to && call.context().is_myself_uri(to->uri) ? 1 : -1;
}
int is_myself_ruri(Call& call) {
  const auto uri = request_uri(call);
  return !uri.empty() && call.context().is_myself_uri(uri) ? 1 : -1;
}
int is_myself_duri(Call& call) {
  const auto& uri = call.context().target.destination_uri;
  return !uri.empty() && call.context().is_myself_uri(uri) ? 1 : -1;
}
int is_myself_suri(Call& call) {
  const auto& source = call.context().received->source;
  return call.context().is_myself(source.host_text(), source.port) ? 1 : -1;
}
int is_myself_srcip(Call& call) {
  const auto source = call.context().received->source;
  for (const auto& socket : call.context().proxy.options().sockets)
    if (socket.address.same_ip(source)) return 1;
  return -1;
}

// Flags 0 to 31 in one of the sets.
enum class Change { Set, Reset, Test };
int flag(Call& call, std::uint32_t& flags, Change change) {
  const auto number = call.number(0);
  if (number < 0 || number > 31) return call.fail("flags are numbered 0 to 31");
  const std::uint32_t bit = std::uint32_t{1} << number;
  if (change == Change::Test) return (flags & bit) ? 1 : -1;
  if (change == Change::Set)
    flags |= bit;
  else
    flags &= ~bit;
  return 1;
}
template <Change change>
int message_flag(Call& call) {
  return flag(call, call.context().flags, change);
}
template <Change change>
int branch_flag(Call& call) {
  return flag(call, call.context().target.flags, change);
}
template <Change change>
int script_flag(Call& call) {
  return flag(call, call.run.script_flags, change);
}

template <UriPart part>
int set_part(Call& call) {
  return set_request_uri_part(call, part, call.text(0)) ? 1 : -1;
}

// Where the request goes: the destination URI or the Request-URI.
int is_myself_nhuri(Call& call) {
  const auto& target = call.context().target;
  return call.context().is_myself_uri(target.destination_uri.empty() ? request_uri(call) : std::string_view(target.destination_uri)) ? 1
                                                                                                                                     : -1;
}

// Without a transaction to that URI; the Request-URI stays.
int forward_to(Call& call) {
  auto& target = call.context().target;
  std::string before = target.destination_uri;
  if (!set_destination_uri(call, call.text(0))) return -1;
  const int result = call.context().forward();
  target.destination_uri = std::move(before);
  return result;
}

int drop(Call& call) {
  return call.leave(Leave::Drop);
}

constexpr auto boolean = Returns::Boolean;
constexpr Routes logs = routes::any | routes::load;
constexpr Routes uris = routes::with_request;

const Function table[] = {
    {"", "dbg", "string text", Returns::Nothing, logs, "Logs at level debug.", "", log_text<log::Level::Debug>},
    {"", "info", "string text", Returns::Nothing, logs, "Logs at level info.", "", log_text<log::Level::Info>},
    {"", "notice", "string text", Returns::Nothing, logs, "Logs at level notice.", "", log_text<log::Level::Notice>},
    {"", "warn", "string text", Returns::Nothing, logs, "Logs at level warning.", "", log_text<log::Level::Warning>},
    {"", "err", "string text", Returns::Nothing, logs, "Logs at level error.", "", log_text<log::Level::Error>},
    {"", "crit", "string text", Returns::Nothing, logs, "Logs at level critical.", "", log_text<log::Level::Critical>},

    {"", "log", "string level, string text", Returns::Nothing, logs, "Logs at a level: dbg, info, notice, warn, err, crit.", "",
     log_at_level},

    {"", "is_INVITE", "", boolean, routes::any, "The method is INVITE; of a reply, that of its CSeq.", "", is<sip::Method::Invite>},
    {"", "is_ACK", "", boolean, routes::any, "The method is ACK.", "", is<sip::Method::Ack>},
    {"", "is_BYE", "", boolean, routes::any, "The method is BYE.", "", is<sip::Method::Bye>},
    {"", "is_CANCEL", "", boolean, routes::any, "The method is CANCEL.", "", is<sip::Method::Cancel>},
    {"", "is_REGISTER", "", boolean, routes::any, "The method is REGISTER.", "", is<sip::Method::Register>},
    {"", "is_MESSAGE", "", boolean, routes::any, "The method is MESSAGE.", "", is<sip::Method::Message>},
    {"", "is_SUBSCRIBE", "", boolean, routes::any, "The method is SUBSCRIBE.", "", is<sip::Method::Subscribe>},
    {"", "is_PUBLISH", "", boolean, routes::any, "The method is PUBLISH.", "", is<sip::Method::Publish>},
    {"", "is_NOTIFY", "", boolean, routes::any, "The method is NOTIFY.", "", is<sip::Method::Notify>},
    {"", "is_OPTIONS", "", boolean, routes::any, "The method is OPTIONS.", "", is<sip::Method::Options>},
    {"", "is_INFO", "", boolean, routes::any, "The method is INFO.", "", is<sip::Method::Info>},
    {"", "is_UPDATE", "", boolean, routes::any, "The method is UPDATE.", "", is<sip::Method::Update>},
    {"", "is_PRACK", "", boolean, routes::any, "The method is PRACK.", "", is<sip::Method::Prack>},
    {"", "is_REFER", "", boolean, routes::any, "The method is REFER.", "", is<sip::Method::Refer>},
    {"", "is_KDMQ", "", boolean, routes::any, "The method is KDMQ.", "", is_named<'K', 'D', 'M', 'Q'>},
    {"", "is_GET", "", boolean, routes::any, "The method is GET.", "", is_named<'G', 'E', 'T'>},
    {"", "is_POST", "", boolean, routes::any, "The method is POST.", "", is_named<'P', 'O', 'S', 'T'>},
    {"", "is_PUT", "", boolean, routes::any, "The method is PUT.", "", is_named<'P', 'U', 'T'>},
    {"", "is_DELETE", "", boolean, routes::any, "The method is DELETE.", "", is_named<'D', 'E', 'L', 'E', 'T', 'E'>},
    {"", "is_method", "string method", boolean, routes::any, "The method is this one, or one of several with a bar between them.", "", is_method},
    {"", "is_method_in", "string letters", boolean, routes::any,
     "The method is one of these: I INVITE, A ACK, B BYE, C CANCEL, M MESSAGE, R REGISTER, E PRACK, P PUBLISH, S SUBSCRIBE, N NOTIFY, "
     "O OPTIONS, F REFER, U UPDATE.",
     "Another letter is a script error.", is_method_in},

    {"", "is_UDP", "", boolean, routes::any, "The message came by UDP.", "", by_transport<Transport::Udp>},
    {"", "is_TCP", "", boolean, routes::any, "The message came by TCP.", "", by_transport<Transport::Tcp>},
    {"", "is_TLS", "", boolean, routes::any, "The message came by TLS.", "", by_transport<Transport::Tls>},
    {"", "is_WS", "", boolean, routes::any, "The message came by WebSocket without TLS.", "", by_transport<Transport::Ws>},
    {"", "is_WSS", "", boolean, routes::any, "The message came by WebSocket with TLS.", "", by_transport<Transport::Wss>},
    {"", "is_WSX", "", boolean, routes::any, "The message came by WebSocket.", "", by_transport<Transport::Ws, Transport::Wss>},
    {"", "is_proto", "string letters", boolean, routes::any,
     "The message came by one of these: U UDP, T TCP, E TLS, V WebSocket, W WebSocket with TLS.", "", is_proto},
    {"", "is_src_port", "int port", boolean, routes::any, "The message came from that port.", "",
     [](Call& call) { return call.context().received->source.port == call.number(0) ? 1 : -1; }},
    {"", "is_dst_port", "int port", boolean, routes::any, "The message was received on that port.", "",
     [](Call& call) {
       const auto& context = call.context();
       return context.proxy.options().sockets[context.received->socket].address.port == call.number(0) ? 1 : -1;
     }},
    {"", "is_IPv4", "", boolean, routes::any, "The message came from an IPv4 address.", "", by_family<Family::IPv4>},
    {"", "is_IPv6", "", boolean, routes::any, "The message came from an IPv6 address.", "", by_family<Family::IPv6>},

    {"", "is_myself", "string uri", boolean, routes::any, "The URI, `host` or `host:port` is an address or alias of this server.", "",
     [](Call& call) { return is_myself_text(call, call.text(0)); }},
    {"", "is_myself_ruri", "", boolean, routes::any, "The Request-URI is this server.", "", is_myself_ruri},
    {"", "is_myself_furi", "", boolean, routes::any, "The From URI is this server.", "", is_myself_furi},
    {"", "is_myself_turi", "", boolean, routes::any, "The To URI is this server.", "", is_myself_turi},
    {"", "is_myself_duri", "", boolean, routes::any, "The destination URI is this server.", "", is_myself_duri},
    {"", "is_myself_nhuri", "", boolean, routes::any, "The destination URI, or else the Request-URI, is this server.", "", is_myself_nhuri},
    {"", "is_myself_suri", "", boolean, routes::any, "Source address and port are those of this server.", "", is_myself_suri},
    {"", "is_myself_srcip", "", boolean, routes::any, "The source address is one of this server's, whatever the port.", "", is_myself_srcip},

    {"", "setflag", "int flag", boolean, routes::any, "Sets a message flag, 0 to 31. Flags live as long as the transaction.", "",
     message_flag<Change::Set>},
    {"", "resetflag", "int flag", boolean, routes::any, "Resets a message flag.", "", message_flag<Change::Reset>},
    {"", "isflagset", "int flag", boolean, routes::any, "The message flag is set.", "", message_flag<Change::Test>},
    {"", "setbflag", "int flag", boolean, routes::any, "Sets a flag of the branch.", "", branch_flag<Change::Set>},
    {"", "resetbflag", "int flag", boolean, routes::any, "Resets a flag of the branch.", "", branch_flag<Change::Reset>},
    {"", "isbflagset", "int flag", boolean, routes::any, "The flag of the branch is set.", "", branch_flag<Change::Test>},
    {"", "setsflag", "int flag", boolean, routes::any, "Sets a script flag; these live until the callback ends.", "",
     script_flag<Change::Set>},
    {"", "resetsflag", "int flag", boolean, routes::any, "Resets a script flag.", "", script_flag<Change::Reset>},
    {"", "issflagset", "int flag", boolean, routes::any, "The script flag is set.", "", script_flag<Change::Test>},

    {"", "seturi", "string uri", boolean, uris, "Replaces the Request-URI.", "A text that is no URI is a script error.",
     [](Call& call) { return set_request_uri(call, call.text(0)) ? 1 : -1; }},
    {"", "setuser", "string user", boolean, uris, "Replaces the user of the Request-URI; an empty one removes it.", "",
     set_part<UriPart::User>},
    {"", "sethost", "string host", boolean, uris, "Replaces the host of the Request-URI.", "", set_part<UriPart::Host>},
    {"", "setdsturi", "string uri", boolean, uris, "Sets the destination URI: where the request goes instead of to its Request-URI.",
     "A text that is no URI is a script error.", [](Call& call) { return set_destination_uri(call, call.text(0)) ? 1 : -1; }},
    {"", "resetdsturi", "", boolean, uris, "Removes the destination URI.", "",
     [](Call& call) {
       call.context().target.destination_uri.clear();
       return 1;
     }},
    {"", "isdsturiset", "", boolean, uris, "There is a destination URI.", "",
     [](Call& call) { return call.context().target.destination_uri.empty() ? -1 : 1; }},
    {"", "append_branch", "[string uri], [string q]", Returns::Integer, routes::relaying,
     "Adds a branch to be tried together with the others of its q-value, the higher ones first.",
     "The same as corex.append_branch and corex.append_branch_uri_q.", append_branch},

    {"", "force_rport", "", Returns::Integer, uris, "Replies go to the port that the request came from (RFC 3581), asked for or not.", "",
     [](Call& call) {
       call.context().force_rport = true;
       return 1;
     }},
    {"", "add_local_rport", "", Returns::Integer, uris, "The Via that we add asks the next hop for rport (RFC 3581).", "",
     [](Call& call) {
       call.context().local_rport = true;
       return 1;
     }},
    {"", "forward", "", Returns::Integer, routes::request, "Forwards the request without a transaction (RFC 3261 16.11).", "",
     [](Call& call) { return call.context().forward(); }},
    {"", "forward_uri", "string uri", Returns::Integer, routes::request, "The same to that URI; the Request-URI stays.", "", forward_to},
    {"", "set_drop", "", Returns::Nothing, routes::any, "What x.drop does, but the callback goes on.", "",
     [](Call& call) {
       call.context().drop = true;
       return 1;
     }},
    {"", "drop", "", Returns::Nothing, routes::any, "The same as x.drop.", "", drop},
};

}  // namespace

std::span<const Function> core_functions() {
  return table;
}

}  // namespace perdure::script
