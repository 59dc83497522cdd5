#pragma once
// One connection: what the hub knows of it. Everything that does I/O with it is in the hub.
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/socket_address.hpp"
#include "edge/connections/stream.hpp"
#include "edge/connections/websocket.hpp"
#include "sip/framer.hpp"

namespace perdure::edge {

using SteadyTime = std::chrono::steady_clock::time_point;

// A message on its way out, with what it needs to come back as undelivered.
struct Outgoing {
  std::string bytes;
  std::string server_name = {};  // that a new connection's peer must prove; empty: its address
  SocketAddress destination;
  std::uint16_t socket = 0;
  std::uint64_t connection = 0;  // that the engine named
  std::size_t prefix = 0;        // bytes of framing before the message
  bool is_message = true;        // false: of the connection's own, a keep-alive or an error response
  bool may_connect = true;       // a connection is made for it if there is none
  bool closes = false;           // the connection ends when it has left

  static Outgoing own(std::string text) {
    Outgoing outgoing;
    outgoing.bytes = std::move(text);
    outgoing.is_message = false;
    return outgoing;
  }
};

// What connections are found by.
struct PeerName {
  SocketAddress address;
  Transport transport = Transport::Tcp;
  std::uint64_t proved_name = 0;  // hash of the host that the peer has proved to be; 0: of none in particular
  friend bool operator==(const PeerName&, const PeerName&) = default;
};

struct Connection {
  enum class State : std::uint8_t {
    Connecting,
    ProxyHeader,  // waits for the header of the PROXY protocol
    Handshake,    // of TLS
    Upgrade,      // of WebSocket
    Open,
    Closing,  // what is queued still leaves, nothing is read any more
    Closed,
  };

  Connection(std::uint64_t connection_id, std::unique_ptr<Stream> bytes, std::size_t message_bytes_max)
      : id(connection_id), stream(std::move(bytes)), framer(message_bytes_max) {}

  const std::uint64_t id;
  std::unique_ptr<Stream> stream;
  sip::StreamFramer framer;
  Transport transport = Transport::Tcp;
  State state = State::Open;
  bool inbound = true;
  bool dirty = false;          // has something to send in this turn
  bool read_on = false;        // has more to read in this turn
  bool stalled = false;        // nothing is read until `waiting` has been handed over
  bool wants_write = false;    // the stream waits for writability
  bool relayed = false;        // an earlier edge has its session of TLS
  std::uint16_t socket = 0;    // of the listen address
  std::uint32_t interest = 0;  // what epoll has been told
  SocketAddress peer, source;  // `source`: whom limits hold for; behind a load balancer not the peer of the socket, but who it says it is
  std::uint64_t proved_name = 0;  // hash of the host that the certificate had to be for; 0: none
  std::optional<WebSocket> web;   // once it is upgraded
  std::string in;                 // received and not consumed
  std::size_t counted = 0;        // of what is received in part, in the sum of all buffers
  std::string waiting;            // the message that the worker's ring had no room for
  std::deque<Outgoing> out;
  std::size_t out_bytes = 0, written = 0;  // in `out`; of its first
  SteadyTime opened, active, message_since, write_since, pinged;
  bool awaits_pong = false, answers_pings = false;
  std::vector<std::string> proved_domains;  // by the certificate of a peer that opened it
  std::vector<PeerName> aliases;            // RFC 5923: under these it is found beside its address
  std::uint64_t messages_received = 0, messages_sent = 0;
};

[[nodiscard]] std::string_view name(Connection::State state);

}  // namespace perdure::edge
