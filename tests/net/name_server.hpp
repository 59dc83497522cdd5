#pragma once
// DNS servers for tests on free ports of loopback: NSD with a generated zone, and one that answers as the test wants, or not at all.
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace perdure::net::test {

class NameServer {
 public:
  // `records` of the zone example.test, a line each; its SOA gives 30 seconds to what there is not.
  explicit NameServer(const std::string& records);
  ~NameServer();
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

class ScriptedNameServer {
 public:
  using Bytes = std::vector<std::uint8_t>;
  // The datagrams that a query is answered with; in a thread of its own.
  using Answer = std::function<std::vector<Bytes>(const Bytes& query)>;
  explicit ScriptedNameServer(Answer answer);
  ~ScriptedNameServer();
  ScriptedNameServer(const ScriptedNameServer&) = delete;
  ScriptedNameServer& operator=(const ScriptedNameServer&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int queries() const { return queries_; }

  // The query as an answer without records, with these flags; and with address records for the name that was asked for.
  [[nodiscard]] static Bytes answer(const Bytes& query, std::uint16_t flags);
  [[nodiscard]] static Bytes with_addresses(const Bytes& query, std::span<const std::string> addresses, std::uint32_t ttl);

 private:
  void serve(const Answer& answer);
  int socket_ = -1, stop_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> queries_{0};
  std::thread thread_;
};

}  // namespace perdure::net::test
