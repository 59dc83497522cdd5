#include "net/name_server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <stdexcept>

namespace perdure::net::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int bound_socket(int type, std::uint16_t& port) {
  const int descriptor = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  socklen_t size = sizeof address;
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0) {
    close(descriptor);
    return -1;
  }
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return descriptor;
}

// For both transports.
std::uint16_t free_port() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::uint16_t port = 0;
    const int tcp = bound_socket(SOCK_STREAM, port);
    const int udp = bound_socket(SOCK_DGRAM, port);
    close(tcp);
    if (udp < 0) continue;
    close(udp);
    return port;
  }
  throw std::runtime_error("no free port");
}

bool answers(std::uint16_t port) {
  std::uint16_t any = 0;
  const int descriptor = bound_socket(SOCK_DGRAM, any);
  const unsigned char query[] = {0,   1,   0,   0,   0,   1, 0,   0,   0,   0,   0, 0, 7, 'e', 'x',
                                 'a', 'm', 'p', 'l', 'e', 4, 't', 'e', 's', 't', 0, 0, 6, 0,   1};
  const sockaddr_in to = loopback(port);
  (void)sendto(descriptor, query, sizeof query, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  pollfd waiting{descriptor, POLLIN, 0};
  bool answered = poll(&waiting, 1, 50) > 0;
  if (answered) {
    unsigned char answer[512];
    answered = recv(descriptor, answer, sizeof answer, 0) > 12;  // not "connection refused"
  }
  close(descriptor);
  return answered;
}

}  // namespace

NameServer::NameServer(const std::string& records) : port_(free_port()) {
  std::string name = (std::filesystem::temp_directory_path() / "perdure-nsd-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no folder for NSD");
  folder_ = name;
  std::ofstream(folder_ / "zone")
      << "$ORIGIN example.test.\n$TTL 300\n@ IN SOA ns admin 1 3600 600 86400 30\n@ IN NS ns\nns IN A 127.0.0.1\n"
      << records;
  std::ofstream(folder_ / "nsd.conf") << fmt::format(
      "server:\n  ip-address: 127.0.0.1@{0}\n  port: {0}\n  username: \"\"\n  zonesdir: \"{1}\"\n  database: \"\"\n  pidfile: \"\"\n"
      "  xfrdfile: \"\"\n  xfrdir: \"{1}\"\n  zonelistfile: \"{1}/zones\"\n  logfile: \"{1}/log\"\n  server-count: 1\n  rrl-ratelimit: 0\n"
      "remote-control:\n  control-enable: no\nzone:\n  name: example.test\n  zonefile: zone\n",
      port_, name);
  const std::string config = folder_ / "nsd.conf";
  const char* const arguments[] = {"/usr/sbin/nsd", "-d", "-c", config.c_str(), nullptr};
  if (posix_spawn(&pid_, arguments[0], nullptr, nullptr, const_cast<char**>(arguments), environ) != 0)
    throw std::runtime_error("NSD does not start: is the package nsd installed?");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!answers(port_))
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("NSD does not answer: " + config);
}

NameServer::~NameServer() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ScriptedNameServer::ScriptedNameServer(Answer answer) {
  socket_ = bound_socket(SOCK_DGRAM, port_);
  stop_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
}

ScriptedNameServer::~ScriptedNameServer() {
  const std::uint64_t one = 1;
  (void)!write(stop_, &one, sizeof one);
  thread_.join();
  close(socket_);
  close(stop_);
}

void ScriptedNameServer::serve(const Answer& answer) {
  std::array<pollfd, 2> waiting{{{socket_, POLLIN, 0}, {stop_, POLLIN, 0}}};
  while (poll(waiting.data(), waiting.size(), -1) > 0 && !waiting[1].revents) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    Bytes query(4096);
    const auto count = recvfrom(socket_, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (count < 12) continue;
    query.resize(static_cast<std::size_t>(count));
    ++queries_;
    for (const Bytes& one : answer(query)) (void)sendto(socket_, one.data(), one.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
  }
}

namespace {
// Where the question ends.
std::size_t question_end(const ScriptedNameServer::Bytes& query) {
  std::size_t at = 12;
  while (at < query.size() && query[at]) at += query[at] + 1U;
  return at + 5;
}
}  // namespace

ScriptedNameServer::Bytes ScriptedNameServer::answer(const Bytes& query, std::uint16_t flags) {
  Bytes out(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(question_end(query)));
  out[2] = static_cast<std::uint8_t>(flags >> 8);
  out[3] = static_cast<std::uint8_t>(flags);
  std::fill(out.begin() + 6, out.begin() + 12, std::uint8_t{0});
  return out;
}

ScriptedNameServer::Bytes ScriptedNameServer::with_addresses(const Bytes& query, std::span<const std::string> addresses,
                                                             std::uint32_t ttl) {
  Bytes out = answer(query, 0x8180);
  out[6] = static_cast<std::uint8_t>(addresses.size() >> 8);
  out[7] = static_cast<std::uint8_t>(addresses.size());
  for (const auto& address : addresses) {
    const in_addr_t bits = inet_addr(address.c_str());
    const auto* const raw = reinterpret_cast<const std::uint8_t*>(&bits);
    const std::uint8_t head[] = {0xC0,
                                 12,
                                 0,
                                 1,
                                 0,
                                 1,
                                 static_cast<std::uint8_t>(ttl >> 24),
                                 static_cast<std::uint8_t>(ttl >> 16),
                                 static_cast<std::uint8_t>(ttl >> 8),
                                 static_cast<std::uint8_t>(ttl),
                                 0,
                                 4};
    out.insert(out.end(), std::begin(head), std::end(head));
    out.insert(out.end(), raw, raw + 4);
  }
  return out;
}

}  // namespace perdure::net::test
