#pragma once
// A proxy with a socket of each transport. Peers connect to it from port 6000 by connection 77, and are reached on port 7001.
#include "proxy/proxy_fixture.hpp"

namespace perdure::proxy {

class TransportTest : public ProxyTest {
 protected:
  enum Socket : std::uint16_t { udp, udp_too, tcp, tls, ws, wss, udp6, tcp6 };
  static constexpr std::uint64_t caller_connection = 77, gateway_connection = 88;
  static constexpr int caller = 6000, gateway = 7001;

  TransportTest() {
    options.sockets.clear();
    add(Transport::Udp, "127.0.0.1", 5060);
    add(Transport::Udp, "127.0.0.1", 5080);
    add(Transport::Tcp, "127.0.0.1", 5060);
    add(Transport::Tls, "127.0.0.1", 5061);
    add(Transport::Ws, "127.0.0.1", 8080);
    add(Transport::Wss, "127.0.0.1", 8443);
    add(Transport::Udp, "::1", 5060);
    add(Transport::Tcp, "::1", 5060);
  }
  void add(Transport transport, std::string_view host, std::uint16_t port) {
    LocalSocket socket;
    socket.transport = transport;
    socket.address = *SocketAddress::parse(host, port);
    socket.advertised_host = socket.address.host_text();
    socket.advertised_port = port;
    options.sockets.push_back(socket);
  }
  // As a client of that socket sends it.
  [[nodiscard]] std::string by(Socket socket, std::string text) const {
    const std::string_view udp_name = "SIP/2.0/UDP";
    return text.replace(text.find(udp_name), udp_name.size(), "SIP/2.0/" + std::string(via_name(options.sockets[socket].transport)));
  }
  std::vector<Sent> from_caller(Socket socket, const std::string& text) {
    return receive(by(socket, text), caller, socket, is_reliable(options.sockets[socket].transport) ? caller_connection : 0);
  }
  std::vector<Sent> from_gateway(Socket socket, const std::string& text) {
    return receive(text, gateway, socket, is_reliable(options.sockets[socket].transport) ? gateway_connection : 0);
  }
  static std::string uri(std::string_view params = {}) { return "sip:bob@127.0.0.1:7001" + std::string(params); }
};

}  // namespace perdure::proxy
