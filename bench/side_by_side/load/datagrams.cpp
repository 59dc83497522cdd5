#include "datagrams.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace perdure::bench {

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return (static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000) + static_cast<std::uint64_t>(time.tv_nsec);
}

void fail(std::string_view what) {
  fmt::print(stderr, "{}\n", what);
  std::exit(2);
}

Datagrams::Batch::Batch() {
  for (std::size_t i = 0; i < batch_size; ++i) {
    vectors[i] = {bytes[i].data(), message_bytes_max};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
}

Datagrams::Datagrams(std::uint16_t port, std::uint16_t peer_port)
    : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), port_(port) {
  // The generator must not be where datagrams are lost. Without privileges the kernel grants less.
  const int bytes = 32 << 20;
  if (::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(fmt::format("udp:127.0.0.1:{}: {}", port, std::strerror(errno)));
  address.sin_port = htons(peer_port);
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail(fmt::format("udp:127.0.0.1:{}: {}", peer_port, std::strerror(errno)));
}

Datagrams::~Datagrams() {
  ::close(descriptor_);
}

std::span<const std::string_view> Datagrams::receive() {
  // An error is that of an earlier datagram (nobody listens there at the moment), and reading it clears it.
  const int count = ::recvmmsg(descriptor_, in_->headers.data(), batch_size, MSG_DONTWAIT, nullptr);
  if (count <= 0) return {};
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) texts_[i] = {in_->bytes[i].data(), in_->headers[i].msg_len};
  received_ += static_cast<std::uint64_t>(count);
  return {texts_.data(), static_cast<std::size_t>(count)};
}

void Datagrams::queue(std::size_t size, std::uint64_t* sent) {
  out_->vectors[queued_].iov_len = size;
  stamps_[queued_] = sent;
  if (++queued_ == batch_size) (void)flush();
}

bool Datagrams::flush() {
  if (queued_ == 0) return true;
  const std::uint64_t now = now_ns();
  for (std::size_t i = 0; i < queued_; ++i)
    if (stamps_[i] != nullptr) *stamps_[i] = now;
  std::size_t at = 0;
  unsigned errors = 0;
  while (at < queued_ && errors < 100) {
    const int count = ::sendmmsg(descriptor_, &out_->headers[at], static_cast<unsigned>(queued_ - at), 0);
    if (count > 0)
      at += static_cast<std::size_t>(count);
    else
      ++errors;  // pending errors of earlier datagrams, cleared by telling them
  }
  sent_ += at;
  queued_ = 0;
  return true;
}

}  // namespace perdure::bench
