// A UDP socket of the generator, which reads and writes in batches and allocates nothing after it was made.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "channel.hpp"

namespace perdure::bench {

class Datagrams final : public Channel {
 public:
  // Bound to 127.0.0.1:port and connected to 127.0.0.1:peer_port.
  Datagrams(std::uint16_t port, std::uint16_t peer_port);
  ~Datagrams() override;

  [[nodiscard]] std::uint16_t port() const override { return port_; }
  std::span<const std::string_view> receive() override;
  [[nodiscard]] char* room() override { return out_->bytes[queued_].data(); }
  void queue(std::size_t size, std::uint64_t* sent) override;
  bool flush() override;

 private:
  struct Batch {
    std::array<std::array<char, message_bytes_max>, batch_size> bytes;
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
};

}  // namespace perdure::bench
