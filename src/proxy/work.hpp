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
  // Blobs written in this step; those that the commit does not refer to are given back. A step writes at most a response for each branch,
  // request and server name of each new branch and what the header itself refers to.
  std::array<store::BlobRef, 4 * transaction::branches_max + 8> written;
  std::size_t written_count = 0;
  bool no_room = false;                  // something that belongs to this step could not be written
  const sip::Message* answer = nullptr;  // the 2xx of this step, which the store does not keep

  // For a transaction that is new. What lies beyond the counts is not read, so it is not cleared.
  void begin() {
    id = store::RecordId::none;
    created = false;
    partition = 0;
    header = {};
    emit = 0;
    written_count = 0;
    no_room = false;
    answer = nullptr;
  }
};
using Work = RoutingContext::Work;

}  // namespace perdure::proxy
