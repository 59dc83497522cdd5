#pragma once
// Which gateway an address belongs to, for counting. Immutable: a new list is a new index.
#include <boost/unordered/unordered_flat_map.hpp>
#include <span>
#include <string_view>

#include "base/checksum.hpp"
#include "base/socket_address.hpp"
#include "metrics/region.hpp"

namespace perdure::metrics {

class Gateways {
 public:
  struct Gateway {
    std::string_view uri;
    SocketAddress address;
    friend bool operator==(const Gateway&, const Gateway&) = default;
  };
  // Of several with one address the first counts for all. `region` outlives it.
  Gateways(const Region& region, std::span<const Gateway> gateways) {
    for (const auto& gateway : gateways)
      if (auto* const block = index_.contains(gateway.address) ? nullptr : region.gateway(gateway.uri)) index_[gateway.address] = block;
  }
  // Null: no gateway.
  [[nodiscard]] GatewayBlock* find(const SocketAddress& address) const {
    if (index_.empty()) return nullptr;
    const auto found = index_.find(address);
    return found == index_.end() ? nullptr : found->second;
  }

 private:
  struct Hash {
    std::size_t operator()(const SocketAddress& address) const { return checksum(address.ip.data(), address.ip.size(), address.port); }
  };
  boost::unordered_flat_map<SocketAddress, GatewayBlock*, Hash> index_;
};

}  // namespace perdure::metrics
