// KSR.corex: bytes to an address, and files.
#include <filesystem>
#include <fstream>
#include <string>

#include "proxy/outputs.hpp"
#include "proxy/proxy.hpp"
#include "script/vm.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::script {
namespace {

constexpr std::size_t datagram_bytes_max = 65'507;
constexpr std::size_t file_bytes_max = 1 << 20;

// The first socket of ours for that transport and family; nullopt: there is none.
std::optional<std::uint16_t> socket_for(const Call& call, Transport transport, Family family) {
  const auto& sockets = call.context().proxy.options().sockets;
  for (std::size_t i = 0; i < sockets.size(); ++i)
    if (sockets[i].transport == transport && sockets[i].address.family == family) return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

int send_data(Call& call) {
  const auto uri = sip::Uri::parse(call.text(0));
  const auto transport = uri ? sip::transport_of(*uri) : std::nullopt;
  if (!transport || call.text(1).empty() || call.text(1).size() > datagram_bytes_max) return -1;
  const auto address = SocketAddress::parse(uri->host, uri->port ? uri->port : sip::default_port(transport->transport));
  const auto socket = address && address->is_unicast() ? socket_for(call, transport->transport, address->family) : std::nullopt;
  if (!socket) return -1;
  auto& outputs = *call.context().outputs;
  outputs.send({outputs.copy(call.text(1)), *address, *socket});
  return 1;
}

int write_file(Call& call) {
  std::ofstream file(std::string(call.text(0)), std::ios::binary | std::ios::trunc);
  file.write(call.text(1).data(), static_cast<std::streamsize>(call.text(1).size()));
  return file.flush() ? 1 : -1;
}

int read_file(Call& call) {
  const std::string path(call.text(0));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return 1;  // a pipe would hold up the worker
  std::ifstream file(path, std::ios::binary);
  std::string content(file_bytes_max + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (!file.eof() || content.size() > file_bytes_max) return 1;
  return call.give(content);
}

const Function table[] = {
    {"corex", "send_data", "string uri, string data", Returns::Integer, routes::any,
     "Sends these bytes to the URI, by its transport; at least once if the server dies meanwhile. -1: they cannot be sent.",
     "The host of the URI is a numeric address.", send_data},
    {"corex", "file_write", "string path, string content", Returns::Integer, routes::any, "Writes a file anew; -1 if that fails.",
     "It holds up the worker, as every file does.", write_file},
    {"corex", "file_read", "string path", Returns::Value, routes::any, "The content of a file, nil if it cannot be read.",
     "Regular files of up to 1 MiB. It holds up the worker.", read_file},
};

}  // namespace

std::span<const Function> corex_output_functions() {
  return table;
}

}  // namespace perdure::script
