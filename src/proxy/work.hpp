#pragma once
// A transaction while one input changes it: a copy of its header, committed at the end. Sends follow from what the commit justified.
#include <array>
#include <cstdint>

#include "proxy/routing_context.hpp"
#include "store/store.hpp"
#include "transaction/record.hpp"

namespace perdure::proxy {

struct RoutingContext::Work {
  store::RecordId id = store::RecordId::none;
  bool created = false;  // the slot is reserved, the first commit is still to come
  std::uint32_t partition = 0;
  transaction::TransactionHeader header;
  std::array<transaction::Branch, transaction::branches_max> branches;
  std::uint64_t emit = 0;  // outputs of this step: sent after the commit
};
using Work = RoutingContext::Work;

}  // namespace perdure::proxy
