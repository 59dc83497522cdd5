// Records of the layout before: docs/store-format.md, "A new layout".
#include <cstddef>
#include <cstring>
#include <string>

#include "transaction/record.hpp"
#include "transaction/route_record.hpp"

namespace perdure::transaction {

namespace {

// The old bytes are the first of the new ones.
Branch upgraded(const BranchLayout1& from) {
  static_assert(offsetof(Branch, request) == offsetof(BranchLayout1, request) && offsetof(Branch, connection) == sizeof from);
  Branch branch;
  std::memcpy(static_cast<void*>(&branch), &from, sizeof from);
  return branch;
}

}  // namespace

bool TransactionHeader::upgrade(const TransactionLayout1& from, TransactionHeader& to, store::Partition& partition) {
  static_assert(offsetof(TransactionHeader, request) == offsetof(TransactionLayout1, request) &&
                offsetof(TransactionHeader, branch) == offsetof(TransactionLayout1, branch));
  std::memcpy(static_cast<void*>(&to), &from, offsetof(TransactionLayout1, branch));
  to.branch = upgraded(from.branch);
  if (!from.branches) return true;
  const std::string_view bytes = partition.read(from.branches);
  if (to.branch_count > branches_max || bytes.size() != to.branch_count * sizeof(BranchLayout1)) return false;
  std::string written;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(BranchLayout1)) {
    BranchLayout1 one;
    std::memcpy(&one, bytes.data() + at, sizeof one);
    const Branch branch = upgraded(one);
    written.append(reinterpret_cast<const char*>(&branch), sizeof branch);
  }
  to.branches = partition.write(written);
  return static_cast<bool>(to.branches);
}

bool RouteHeader::upgrade(const RouteLayout1& from, RouteHeader& to, store::Partition&) {
  static_assert(offsetof(RouteHeader, text) == offsetof(RouteLayout1, text) && offsetof(RouteHeader, upstream_connection) == sizeof from);
  std::memcpy(static_cast<void*>(&to), &from, sizeof from);
  return true;
}

}  // namespace perdure::transaction
