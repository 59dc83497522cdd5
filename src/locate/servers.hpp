#pragma once
// RFC 3263 4: from the host of a URI to the servers to try, in order. Sans I/O: takes what the DNS has said so far, and yields either
// the servers or what must be asked yet.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"
#include "locate/records.hpp"
#include "sip/uri.hpp"

namespace perdure::locate {

// What decides where a request goes: of a destination URI, Route or Request-URI.
struct Destination {
  std::string host{};  // maddr, if there is one; IPv6 with or without brackets
  std::uint16_t port = 0;
  std::optional<Transport> transport{};  // of the URI; none: it does not say
  bool secure = false;                   // sips
  friend bool operator==(const Destination&, const Destination&) = default;

  // Nullopt: neither sip nor sips, or a transport that nobody here knows.
  [[nodiscard]] static std::optional<Destination> of(const sip::Uri& uri);
};

// By what our sockets can send: a bit for each Transport.
struct Reach {
  std::uint8_t ipv4 = 0, ipv6 = 0;
  [[nodiscard]] static constexpr std::uint8_t bit(Transport transport) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(transport));
  }
  void add(Transport transport, Family family) { (family == Family::IPv6 ? ipv6 : ipv4) |= bit(transport); }
  [[nodiscard]] bool has(Transport transport) const { return ((ipv4 | ipv6) & bit(transport)) != 0; }
  [[nodiscard]] bool has(Transport transport, Family family) const {
    return ((family == Family::IPv6 ? ipv6 : ipv4) & bit(transport)) != 0;
  }
};

struct Policy {
  bool use_naptr = true, use_srv = true;
  bool prefer_ipv6 = false;
  std::uint32_t servers_max = 8;  // of one destination; a set of the DNS that is larger is cut
};

struct Server {
  Transport transport = Transport::Udp;
  SocketAddress address;
  friend bool operator==(const Server&, const Server&) = default;
};

struct Servers {
  std::vector<Server> servers;    // to be tried in this order; empty, and nothing missing: it cannot be reached
  std::vector<Question> missing;  // if not empty, `servers` is
};

// `random` decides among servers of equal priority (RFC 2782); a stateless proxy gives the same number for each request of a transaction.
[[nodiscard]] Servers locate(const Destination& destination, const Reach& reach, const Policy& policy, Answers& answers,
                             std::uint64_t random);

[[nodiscard]] std::uint16_t default_port(Transport transport);

// Where the host is an address: no question, no order. Nullopt: it is none, or none that anything could be sent to.
[[nodiscard]] std::optional<Server> numeric_server(const Destination& destination);

// Answers of one search beside those of a cache: an answer whose TTL is 0 or that the cache had to forget still counts for whoever asked.
class AnswerSet final : public Answers {
 public:
  [[nodiscard]] AnswerPointer find(const Question& question) override;
  void put(const Question& question, AnswerPointer answer);
  // From now on nothing is unknown: what has not been answered has failed.
  void complete() { complete_ = true; }

 private:
  std::vector<std::pair<Question, AnswerPointer>> answers_;
  bool complete_ = false;
};

// The first, and what it does not know the second.
class AnswersOfBoth final : public Answers {
 public:
  AnswersOfBoth(Answers* first, Answers* second) : first_(first), second_(second) {}
  [[nodiscard]] AnswerPointer find(const Question& question) override {
    AnswerPointer answer = first_ ? first_->find(question) : nullptr;
    return answer || !second_ ? answer : second_->find(question);
  }

 private:
  Answers* const first_;
  Answers* const second_;
};

}  // namespace perdure::locate
