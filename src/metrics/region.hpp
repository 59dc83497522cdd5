#pragma once
// The memory that engines count in and the edge reads (a memfd). The edge owns it, so what is counted outlives every engine: the next one
// goes on where the dead one stopped.
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "metrics/blocks.hpp"

namespace perdure::metrics {

class Region {
 public:
  // `layout` names what is counted: a program that counts something else does not touch the memory. The descriptor is close-on-exec.
  [[nodiscard]] static Result<std::unique_ptr<Region>> create(std::uint32_t worker_count, std::uint64_t layout);
  // Maps what create() made; takes the descriptor. Refuses what has another layout or number of workers.
  [[nodiscard]] static Result<std::unique_ptr<Region>> map(int descriptor, std::uint32_t worker_count, std::uint64_t layout);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint32_t worker_count() const { return worker_count_; }
  [[nodiscard]] AttachBlock& attaches() const { return *attaches_; }
  [[nodiscard]] WorkerBlock& worker(std::uint32_t worker) const { return workers_[worker]; }
  // The block of a destination, taken for it if need be; null if there is no room or the URI is too long. One thread at a time.
  [[nodiscard]] GatewayBlock* gateway(std::string_view uri) const;
  // All that are taken.
  [[nodiscard]] std::vector<const GatewayBlock*> gateways() const;

 private:
  Region(int descriptor, char* base, std::uint32_t worker_count);

  int descriptor_;
  char* base_;
  std::uint32_t worker_count_;
  AttachBlock* attaches_;
  GatewayBlock* gateways_;
  WorkerBlock* workers_;
};

}  // namespace perdure::metrics
