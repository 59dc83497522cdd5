// A store of layout 1 with open transactions is read by this program.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "transaction/record.hpp"
#include "transaction/route_record.hpp"

namespace perdure::transaction {
namespace {

using Memory = std::vector<std::uint64_t>;

std::unique_ptr<store::Store> open(Memory& memory, std::vector<store::KindInfo> kinds) {
  store::Options options;
  options.partitions = 1;
  options.extent_bytes = 16 * 1024;
  options.kinds = std::move(kinds);
  auto store = store::Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, options);
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

std::vector<store::KindInfo> kinds_of_layout1() {
  return {store::kind_info<TransactionLayout1>(), store::kind_info<RouteLayout1>()};
}
std::vector<store::KindInfo> kinds_of_today() {
  return {store::kind_info<TransactionHeader>(), store::kind_info<RouteHeader>()};
}

template <class Old, class New>
Old older(const New& header) {
  Old old;
  std::memcpy(static_cast<void*>(&old), &header, sizeof old);
  return old;
}

Branch branch_to(std::uint16_t port, store::BlobRef request) {
  Branch branch;
  branch.destination = *SocketAddress::parse("192.0.2.1", port);
  branch.state = State::Proceeding;
  branch.expire_at = Time(Duration(port));
  branch.request = request;
  return branch;
}

TEST(RecordUpgrade, TransactionsComeThroughWithAllTheirBranches) {
  Memory memory(64 * 1024);
  store::RecordId one, two;
  {
    const auto store = open(memory, kinds_of_layout1());
    auto& partition = store->partition(0);
    TransactionHeader header;
    header.key = 7;
    header.state = State::Proceeding;
    header.request = partition.write("INVITE one");
    header.branch_count = 1;
    header.branch = branch_to(5061, partition.write("INVITE one, sent"));
    one = partition.reserve<TransactionLayout1>();
    partition.create(one, older<TransactionLayout1>(header));
    header = {};
    header.key = 8;
    header.branch_count = 2;
    std::string branches;
    for (const std::uint16_t port : {std::uint16_t{5071}, std::uint16_t{5072}}) {
      const auto branch = older<BranchLayout1>(branch_to(port, partition.write("INVITE to " + std::to_string(port))));
      branches.append(reinterpret_cast<const char*>(&branch), sizeof branch);
    }
    header.branches = partition.write(branches);
    two = partition.reserve<TransactionLayout1>();
    partition.create(two, older<TransactionLayout1>(header));
  }
  const auto store = open(memory, kinds_of_today());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->attached().upgraded, 2U);
  EXPECT_EQ(store->attached().dropped, 0U);
  auto& partition = store->partition(0);
  const auto& first = partition.get<TransactionHeader>(one);
  EXPECT_EQ(first.key, 7U);
  EXPECT_EQ(partition.read(first.request), "INVITE one");
  EXPECT_EQ(partition.read(first.branch.request), "INVITE one, sent");
  EXPECT_EQ(first.branch.destination.port, 5061);
  EXPECT_EQ(first.branch.state, State::Proceeding);
  EXPECT_EQ(first.branch.transport, Transport::Udp);
  EXPECT_EQ(first.branch.connection, 0U);
  const auto& second = partition.get<TransactionHeader>(two);
  EXPECT_EQ(second.key, 8U);
  const auto bytes = partition.read(second.branches);
  ASSERT_EQ(bytes.size(), 2 * sizeof(Branch));
  for (const std::uint16_t port : {std::uint16_t{5071}, std::uint16_t{5072}}) {
    Branch branch;
    std::memcpy(static_cast<void*>(&branch), bytes.data() + (port == 5072 ? sizeof branch : 0), sizeof branch);
    EXPECT_EQ(branch.destination.port, port);
    EXPECT_EQ(branch.expire_at, Time(Duration(port)));
    EXPECT_EQ(partition.read(branch.request), "INVITE to " + std::to_string(port));
    EXPECT_EQ(branch.transport, Transport::Udp);
  }
}

TEST(RecordUpgrade, BranchesThatCannotBeReadDropTheirTransaction) {
  Memory memory(64 * 1024);
  {
    const auto store = open(memory, kinds_of_layout1());
    auto& partition = store->partition(0);
    TransactionHeader header;
    header.branch_count = 3;
    header.branches = partition.write("too short");
    const auto id = partition.reserve<TransactionLayout1>();
    partition.create(id, older<TransactionLayout1>(header));
  }
  const auto store = open(memory, kinds_of_today());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->attached().dropped, 1U);
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST(RecordUpgrade, RoutesComeThrough) {
  Memory memory(64 * 1024);
  store::RecordId id;
  {
    const auto store = open(memory, kinds_of_layout1());
    auto& partition = store->partition(0);
    RouteHeader route;
    route.key = 9;
    route.canceled = 1;
    route.text = partition.write("sip:bob@192.0.2.1");
    id = partition.reserve<RouteLayout1>();
    partition.create(id, older<RouteLayout1>(route));
  }
  const auto store = open(memory, kinds_of_today());
  ASSERT_TRUE(store);
  const auto& route = store->partition(0).get<RouteHeader>(id);
  EXPECT_EQ(route.key, 9U);
  EXPECT_EQ(route.canceled, 1U);
  EXPECT_EQ(route.connection, 0U);
  EXPECT_EQ(store->partition(0).read(route.text), "sip:bob@192.0.2.1");
}

}  // namespace
}  // namespace perdure::transaction
