#pragma once
// The UDP sockets of the server: one for each listen address and worker. Some may come from outside: a socket unit, a descriptor store, an
// edge that hands over.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::edge {

class UdpSockets {
 public:
  UdpSockets() = default;
  // For each address as many as there are workers: first those of `inherited` that are bound to it, which are taken out of there, then new
  // ones. Port 0: the kernel chooses.
  [[nodiscard]] static Result<UdpSockets> open(const std::vector<SocketAddress>& addresses, std::uint32_t workers,
                                               std::uint64_t receive_buffer_bytes, std::vector<int>& inherited);
  // All of another process: `descriptors` in the order of descriptors() there, which become this object's.
  [[nodiscard]] static Result<UdpSockets> adopt(std::vector<int> descriptors, std::uint32_t workers);
  UdpSockets(UdpSockets&& other) noexcept;
  UdpSockets& operator=(UdpSockets&& other) noexcept;
  ~UdpSockets();  // closes

  // As bound, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return addresses_; }
  // Of address i and worker w at i * workers + w.
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }
  // A name for descriptors()[index], the same in each process of the server.
  [[nodiscard]] std::string name(std::size_t index) const;

 private:
  std::vector<SocketAddress> addresses_;
  std::vector<int> descriptors_;
};

}  // namespace perdure::edge
