// A UDP socket of the generator, which reads and writes in batches and allocates nothing after it was made.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace perdure::bench {

constexpr std::size_t batch_size = 32;
constexpr std::size_t datagram_bytes_max = 4096;

// CLOCK_MONOTONIC.
[[nodiscard]] std::uint64_t now_ns();

// Prints the text and ends the process with status 2.
[[noreturn]] void fail(std::string_view what);

class Datagrams {
 public:
  // Bound to 127.0.0.1:port and connected to 127.0.0.1:peer_port.
  Datagrams(std::uint16_t port, std::uint16_t peer_port);
  ~Datagrams();
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // What is there, at most a batch; the texts are valid until the next call. Does not wait.
  std::span<const std::string_view> receive();

  // Room for the next datagram, datagram_bytes_max bytes. Followed by queue().
  [[nodiscard]] char* room() { return out_->bytes[queued_].data(); }
  // `sent`, if given, becomes the time at which the batch went to the kernel.
  void queue(std::size_t size, std::uint64_t* sent = nullptr);
  void flush();

  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  struct Batch {
    std::array<std::array<char, datagram_bytes_max>, batch_size> bytes;
    std::array<iovec, batch_size> vectors{};
    std::array<mmsghdr, batch_size> headers{};
    Batch();
  };

  int descriptor_;
  std::uint16_t port_;
  std::unique_ptr<Batch> in_ = std::make_unique<Batch>(), out_ = std::make_unique<Batch>();
  std::array<std::string_view, batch_size> texts_{};
  std::array<std::uint64_t*, batch_size> stamps_{};
  std::size_t queued_ = 0;
  std::uint64_t received_ = 0, sent_ = 0;
};

}  // namespace perdure::bench
