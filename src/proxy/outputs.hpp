#pragma once
// What one input led to, in the order in which it must leave. Commits have happened when a Send is appended: persist, then speak.
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"

namespace perdure::proxy {

// `bytes` is valid until Outputs::clear().
struct Send {
  std::string_view bytes;
  SocketAddress destination;
  std::uint16_t socket = 0;  // index of the local socket to send from
  // The connection to use. 0, or one that is gone: over another one to exactly `destination` if there is one, else over a new one.
  std::uint64_t connection = 0;
  // For a new connection: the name that the peer's certificate must have (RFC 5922), empty: its address.
  std::string_view server_name = {};
  bool may_connect = true;  // false: not over a new connection
  bool closes = false;      // the connection ends when it has left
};

// What is sent to `address` by this socket from now on takes this connection, besides what is sent to its peer.
struct ConnectionAlias {
  std::uint64_t connection = 0;
  SocketAddress address;
  std::uint16_t socket = 0;
};

// Owns the bytes that no store blob holds. Reused from batch to batch: chunks are kept, so the steady state allocates nothing.
class Outputs {
 public:
  void send(const Send& send) { sends_.push_back(send); }
  // Room for a message that will be sent; shrink with keep() to what was written. Valid until clear().
  [[nodiscard]] std::span<char> reserve(std::size_t size);
  [[nodiscard]] std::string_view keep(std::size_t written);
  [[nodiscard]] std::string_view copy(std::string_view bytes);

  // A line for the accounting log; valid until clear().
  void account(std::string_view line) { account_lines_.push_back(line); }
  void alias(const ConnectionAlias& alias) { aliases_.push_back(alias); }

  [[nodiscard]] std::span<const std::string_view> account_lines() const { return account_lines_; }
  [[nodiscard]] std::span<const ConnectionAlias> aliases() const { return aliases_; }
  [[nodiscard]] std::span<const Send> sends() const { return sends_; }
  [[nodiscard]] bool empty() const { return sends_.empty() && account_lines_.empty() && aliases_.empty(); }
  void clear();

 private:
  static constexpr std::size_t chunk_bytes = 256 * 1024;
  struct Chunk {
    std::unique_ptr<char[]> data;
    std::size_t size = 0;
  };
  std::vector<Send> sends_;
  std::vector<std::string_view> account_lines_;
  std::vector<ConnectionAlias> aliases_;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0, used_ = 0;
};

}  // namespace perdure::proxy
