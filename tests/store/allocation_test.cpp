// In the steady state a worker takes nothing from the heap for the store.
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "heap/counting_new.hpp"
#include "store/record_types.hpp"

namespace perdure::store {
namespace {

TEST(Allocation, NoneInTheSteadyState) {
  Options options = test_options();
  options.max_bytes = 64 << 20;
  options.extent_bytes = default_extent_bytes;
  auto store = std::move(*Store::open(options));
  Partition& partition = store->partition(0);
  Random random(3);
  std::array<char, 4000> text{};
  std::array<RecordId, 2000> ids;
  ids.fill(RecordId::none);
  const auto turn = [&] {
    RecordId& id = ids[random.below(ids.size())];
    if (id == RecordId::none) {
      id = partition.reserve<TestHeader>();
      ASSERT_NE(id, RecordId::none);
      partition.create(id, TestHeader{1, 2, partition.write({text.data(), random.below(text.size()) + 1}), {}, {}});
      return;
    }
    TestHeader header = partition.get<TestHeader>(id);
    if (random.below(4) == 0) {
      partition.erase<TestHeader>(id);
      id = RecordId::none;
    } else {
      header.second = partition.write({text.data(), random.below(text.size()) + 1});
      partition.commit(id, header);
      partition.mark_sent(id);
    }
    if (random.below(3) == 0) partition.reclaim();
  };
  for (int i = 0; i < 200000; ++i) turn();
  const std::uint64_t before = allocations_of_this_thread();
  for (int i = 0; i < 100000; ++i) turn();
  EXPECT_EQ(allocations_of_this_thread() - before, 0U);
}

}  // namespace
}  // namespace perdure::store
