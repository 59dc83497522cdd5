#include "edge/udp_sockets.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "net/udp_socket.hpp"

namespace perdure::edge {

UdpSockets::UdpSockets(UdpSockets&& other) noexcept
    : addresses_(std::move(other.addresses_)), descriptors_(std::exchange(other.descriptors_, {})) {}

UdpSockets& UdpSockets::operator=(UdpSockets&& other) noexcept {
  std::swap(addresses_, other.addresses_);
  std::swap(descriptors_, other.descriptors_);
  return *this;
}

UdpSockets::~UdpSockets() {
  for (const int descriptor : descriptors_) close(descriptor);
}

Result<UdpSockets> UdpSockets::open(const std::vector<SocketAddress>& addresses, std::uint32_t workers, std::uint64_t receive_buffer_bytes,
                                    std::vector<int>& inherited) {
  UdpSockets sockets;
  const auto take = [&](const SocketAddress& address) {
    const auto found = std::ranges::find_if(
        inherited, [&](int descriptor) { return net::is_udp_socket(descriptor) && net::local_address(descriptor) == address; });
    if (found == inherited.end()) return -1;
    const int descriptor = *found;
    inherited.erase(found);
    net::prepare_udp_socket(descriptor, receive_buffer_bytes);
    return descriptor;
  };
  for (const auto& wanted : addresses) {
    SocketAddress address = wanted;
    std::uint32_t count = 0;
    for (int descriptor = take(address); descriptor >= 0; descriptor = count < workers ? take(address) : -1) {
      sockets.descriptors_.push_back(descriptor);
      ++count;
    }
    for (bool first = count == 0; count < workers; ++count, first = false) {
      const auto descriptor = net::open_udp_socket(address, receive_buffer_bytes, first);
      if (!descriptor) return std::unexpected(descriptor.error());
      sockets.descriptors_.push_back(*descriptor);
      address = net::local_address(*descriptor);
    }
    sockets.addresses_.push_back(address);
  }
  return sockets;
}

Result<UdpSockets> UdpSockets::adopt(std::vector<int> descriptors, std::uint32_t workers) {
  UdpSockets sockets;
  sockets.descriptors_ = std::move(descriptors);
  if (workers == 0 || sockets.descriptors_.size() % workers != 0 || !std::ranges::all_of(sockets.descriptors_, net::is_udp_socket))
    return fail("the descriptors handed over are not the sockets of a server");
  for (std::size_t i = 0; i < sockets.descriptors_.size(); i += workers)
    sockets.addresses_.push_back(net::local_address(sockets.descriptors_[i]));
  return sockets;
}

std::string UdpSockets::name(std::size_t index) const {
  const std::size_t workers = descriptors_.size() / addresses_.size();
  return fmt::format("udp-{}-{}", index / workers, index % workers);
}

}  // namespace perdure::edge
