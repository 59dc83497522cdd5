#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

Result<> set_proxy_protocol(Config& config, const std::vector<std::string>& texts) {
  config.proxy_protocol.clear();
  for (const auto& text : texts) {
    const auto listen = parse_listen(text);
    if (!listen) return std::unexpected(listen.error());
    if (listen->transport == Transport::Udp) return fail(fmt::format("\"{}\" has no connections", text));
    config.proxy_protocol.push_back(*listen);
  }
  return {};
}

const Option table[] = {
    {"connections", "max", "16384", "Most connections at a time, of all transports; a further one is closed at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.connections_max; }, 1, 1'000'000}},
    {"connections", "per_source", "4096",
     "Most of them from one IPv4 address, or from one IPv6 network of 64 bits. Devices behind one NAT are one source.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.connections_per_source_max; }, 1, 1'000'000}},
    {"connections", "outbound", "4096",
     "Most of them that this server has opened. A message that would need a further one counts as not deliverable.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.outbound_max; }, 1, 1'000'000}},
    {"connections", "message_size", R"("65535")",
     "Longest message by a connection. A longer one is answered with 513, and the connection is closed.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.message_bytes_max; }, 1024, 65'535}},
    {"connections", "send_queue", R"("1MiB")",
     "What may wait to be sent on one connection. When it is full, the connection is closed and what waits is failed as not deliverable.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.queue_bytes_max; }, 64ULL << 10, 64ULL << 20}},
    {"connections", "buffers", R"("256MiB")",
     "What all connections together may hold of messages received in part or not yet sent. A connection that needs more is closed.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections.buffers_max; }, 1ULL << 20, 64ULL << 30}},
    {"connections", "messages_per_second", "0",
     "Messages that are read from one source in a second; further ones wait in its connections. 0: any number.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.connections.messages_per_second_max; }, 0, 1'000'000}},
    {"connections", "idle_timeout", R"("10m")", "A connection without message or keep-alive for so long is closed.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.idle_timeout; }, 1s, 24h}},
    {"connections", "ping_interval", R"("30s")",
     "A WebSocket, or a connection that this server has opened, by which nothing has gone for so long is asked for a sign of life. 0: "
     "never.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.ping_interval; }, 0s, 24h}},
    {"connections", "handshake_timeout", R"("5s")",
     "How long a peer may take until messages can come: for TLS, WebSocket and the PROXY protocol.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.handshake_timeout; }, 500ms, 60s}},
    {"connections", "message_timeout", R"("10s")", "How long a message may take from its first byte to its last.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.message_timeout; }, 500ms, 5min}},
    {"connections", "write_timeout", R"("15s")", "A peer that takes nothing of what waits for it for so long is given up.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.write_timeout; }, 500ms, 5min}},
    {"connections", "connect_timeout", R"("3s")", "How long it may take to connect to a peer.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.connect_timeout; }, 100ms, 60s}},
    {"connections", "back_off", R"("30s")",
     "A peer that could not be connected to is not tried again for one second, then two, and so on up to this.",
     DurationOption{[](Config& c) -> Duration& { return c.connections.back_off_max; }, 1s, 1h}},
    {"connections", "ring", R"("4MiB")",
     "Memory for messages between the connections and each worker, in each direction: what waits while the next engine takes over. Cut to "
     "a power of two.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.connections_ring_bytes; }, 256ULL << 10, 1ULL << 30}},

    {"connections", "proxy_protocol", "[]",
     "Listen addresses, as they stand in `listen`, whose connections come from a load balancer that says whom they are from (PROXY "
     "protocol, "
     "version 1 or 2). A connection that does not begin so is closed: nobody else must reach such an address.",
     TextsOption{set_proxy_protocol}},
};

}  // namespace

std::span<const Option> connections_options() {
  return table;
}

}  // namespace perdure::app
