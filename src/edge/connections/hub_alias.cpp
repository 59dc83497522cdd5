// Requests to a peer go by the connection that it has opened: if it has proved who it is (RFC 5923), or if the script says so.
#include <algorithm>

#include "base/case.hpp"
#include "edge/connections/hub.hpp"
#include "sip/message.hpp"
#include "sip/params.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::edge {
namespace {

constexpr std::size_t aliases_max = 16;  // of one connection

}  // namespace

// Who asks for it (`alias` in its Via) must have proved, by a certificate that has been verified, to be the host that the Via names:
// anybody else could draw the calls to a stranger to itself. So by TLS only, and only where servers have to prove their names as well.
void Hub::take_alias(Connection& connection, std::string_view message) {
  if (connection.transport != Transport::Tls || !wants_name(Transport::Tls) || connection.aliases.size() >= aliases_max) return;
  sip::Message parsed;
  if (!parsed.parse(message) || !parsed.is_request()) return;
  const auto via = parsed.top_via();
  if (!via || !sip::find_param(via->params, "alias")) return;
  const auto is_host = [&](std::string_view domain) { return equals_ignore_case(domain, via->host); };
  if (std::ranges::none_of(connection.proved_domains, is_host)) return;
  PeerName alias{connection.peer, Transport::Tls, name_hash(via->host)};
  alias.address.port = via->port != 0 ? via->port : sip::default_port(Transport::Tls);
  add_alias(connection, alias);
}

// KSR.add_tcp_alias: the script knows its peers. As with the address that the peer has, any name is good for it.
void Hub::give_alias(const Entry& order) {
  Connection* const connection = find(order.connection);
  if (!connection || connection->state != Connection::State::Open || connection->aliases.size() >= aliases_max) return;
  // Another port of the same host, never another host: the ring is written by a process that may be broken.
  SocketAddress address = connection->peer;
  address.port = order.address.port;
  add_alias(*connection, {address, connection->transport, 0});
}

// As with addresses: of two connections the first is the one that is found.
void Hub::add_alias(Connection& connection, const PeerName& alias) {
  if (std::ranges::find(connection.aliases, alias) != connection.aliases.end()) return;
  connection.aliases.push_back(alias);
  const auto [known, added] = peers_.try_emplace(alias, connection.id);
  if (!added && find(known->second)) return;
  known->second = connection.id;
  counters_.aliases.add();
}

}  // namespace perdure::edge
