// What callers and callees speak through: one UDP socket, or one connection to the proxy.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace perdure::bench {

constexpr std::size_t batch_size = 32;
constexpr std::size_t message_bytes_max = 4096;

// CLOCK_MONOTONIC.
[[nodiscard]] std::uint64_t now_ns();

// Prints the text and ends the process with status 2.
[[noreturn]] void fail(std::string_view what);

class Channel {
 public:
  Channel() = default;
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // The own port.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // Some of the messages that are there; the texts are valid until the next call. Does not wait.
  virtual std::span<const std::string_view> receive() = 0;
  // Room for the next message, message_bytes_max bytes. Followed by queue().
  [[nodiscard]] virtual char* room() = 0;
  // `sent`, if given, becomes the time at which it went to the kernel.
  virtual void queue(std::size_t size, std::uint64_t* sent) = 0;
  // False: the kernel does not take everything now.
  virtual bool flush() = 0;

  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

  bool unflushed = false;  // stands in the list of those that have something to send

 protected:
  std::uint64_t received_ = 0, sent_ = 0;  // messages
};

}  // namespace perdure::bench
