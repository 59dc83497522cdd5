// perdure_bench_floor: what any proxy in user space pays at least. Forwards datagrams between callers and callees without reading them, and
// answers each INVITE with a small datagram, as a proxy answers it with 100: the same number of datagrams per call through the same system
// calls.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

namespace {

constexpr std::size_t batch_size = 32, bytes_max = 4096;

struct Options {
  std::uint16_t port = 0, first_port = 0;
  unsigned ports = 4;
};

struct Batch {
  std::array<std::array<char, bytes_max>, batch_size> bytes;
  std::array<sockaddr_in, batch_size> sources{};
  std::array<iovec, batch_size> vectors{};
  std::array<mmsghdr, batch_size> in{};
  // Each datagram forwarded, and for an INVITE one answer of two pieces.
  std::array<sockaddr_in, batch_size> destinations{};
  std::array<iovec, 4 * batch_size> out_vectors{};
  std::array<mmsghdr, 2 * batch_size> out{};
};

int open_socket(const Options& options) {
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int bytes = 16 << 20;
  if (::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(options.port);
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    fmt::print(stderr, "udp:127.0.0.1:{}: {}\n", options.port, std::strerror(errno));
    return -1;
  }
  return descriptor;
}

// The other end of the line that this port belongs to; 0: none.
std::uint16_t other_end(const Options& options, std::uint16_t port) {
  const unsigned index = static_cast<unsigned>(port) - options.first_port;
  if (index < options.ports) return static_cast<std::uint16_t>(port + options.ports);
  return index < 2 * options.ports ? static_cast<std::uint16_t>(port - options.ports) : 0;
}

// Adds what goes out for the datagram at `i`; returns how many datagrams there are now.
std::size_t forward(Batch& batch, const Options& options, std::size_t i, std::size_t outgoing) {
  static char trying[] = "SIP/2.0 100 Trying";
  const std::string_view text(batch.bytes[i].data(), batch.in[i].msg_len);
  const std::uint16_t to = other_end(options, ntohs(batch.sources[i].sin_port));
  if (to == 0) return outgoing;
  const auto add = [&](sockaddr_in* where, std::size_t pieces) {
    msghdr& header = batch.out[outgoing].msg_hdr;
    header.msg_name = where;
    header.msg_namelen = sizeof *where;
    header.msg_iov = &batch.out_vectors[2 * outgoing];
    header.msg_iovlen = pieces;
    ++outgoing;
  };
  if (text.starts_with("INVITE ")) {
    const auto line_end = text.find('\r'), headers_end = text.find("\nContact");
    if (headers_end != std::string_view::npos) {
      batch.out_vectors[2 * outgoing] = {trying, sizeof trying - 1};
      batch.out_vectors[(2 * outgoing) + 1] = {batch.bytes[i].data() + line_end, headers_end - line_end + 1};
      add(&batch.sources[i], 2);
    }
  }
  batch.destinations[i] = batch.sources[i];
  batch.destinations[i].sin_port = htons(to);
  batch.out_vectors[2 * outgoing] = {batch.bytes[i].data(), text.size()};
  add(&batch.destinations[i], 1);
  return outgoing;
}

void run(int descriptor, const Options& options) {
  const auto batch = std::make_unique<Batch>();
  for (std::size_t i = 0; i < batch_size; ++i) {
    batch->vectors[i] = {batch->bytes[i].data(), bytes_max};
    batch->in[i].msg_hdr.msg_iov = &batch->vectors[i];
    batch->in[i].msg_hdr.msg_iovlen = 1;
    batch->in[i].msg_hdr.msg_name = &batch->sources[i];
  }
  while (true) {
    for (auto& header : batch->in) header.msg_hdr.msg_namelen = sizeof(sockaddr_in);
    const int count = ::recvmmsg(descriptor, batch->in.data(), batch_size, MSG_WAITFORONE, nullptr);
    if (count <= 0) continue;
    std::size_t outgoing = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) outgoing = forward(*batch, options, i, outgoing);
    for (std::size_t at = 0; at < outgoing;) {
      const int sent = ::sendmmsg(descriptor, &batch->out[at], static_cast<unsigned>(outgoing - at), 0);
      at += sent > 0 ? static_cast<std::size_t>(sent) : 1;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Forwards datagrams between callers and callees without reading them"};
  app.add_option("--port", options.port, "UDP port on 127.0.0.1")->required();
  app.add_option("--first-port", options.first_port, "first of the ports of callers; those of callees follow")->required();
  app.add_option("--ports", options.ports, "how many ports callers have, and callees");
  CLI11_PARSE(app, argc, argv);
  const int descriptor = open_socket(options);
  if (descriptor < 0) return 1;
  fmt::print("ready\n");
  std::fflush(stdout);
  run(descriptor, options);
}
