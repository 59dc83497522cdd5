// A long random series of operations is cut after every single write to the mapping. Each copy must attach with every record exactly old or
// new, no blob leaked or shared, and further work must go well.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/random.hpp"
#include "store/record_types.hpp"

namespace perdure::store {
namespace {

constexpr std::uint64_t memory_bytes = 384 * 1024;
using Memory = std::vector<std::uint64_t>;

// A sanitizer makes each attach slow, and looks for other things.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t step = 16;
#else
constexpr std::uint64_t step = 1;
#endif

struct State {
  std::uint64_t number = 0;
  std::string first, second;
  friend bool operator==(const State&, const State&) = default;
};
using Model = std::map<std::uint32_t, State>;

std::unique_ptr<Store> attach(Memory& memory) {
  auto store = Store::attach_memory(reinterpret_cast<char*>(memory.data()), memory.size() * 8, test_options());
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

Model read_all(Store& store) {
  Model found;
  for (std::uint32_t i = 0; i < store.partition_count(); ++i)
    store.partition(i).for_each<TestHeader>([&](RecordId id, const TestHeader& header) {
      EXPECT_EQ(header.twice, 2 * header.number) << "a mixture of two states";
      found[id.value] = {header.number, std::string(store.partition(i).read(header.first)),
                         std::string(store.partition(i).read(header.second))};
    });
  return found;
}

std::uint64_t bytes_of(const Model& model) {
  std::uint64_t bytes = 0;
  for (const auto& [id, state] : model) {
    bytes += record_slot_bytes(sizeof(TestHeader));
    for (const auto* text : {&state.first, &state.second})
      if (!text->empty()) bytes += blob_slot_bytes(static_cast<std::uint32_t>(text->size()), 4096);
  }
  return bytes;
}

// Does random work on a store and keeps a model of it.
class Worker {
 public:
  Worker(Store& store, Model model, std::uint64_t seed) : store_(store), model_(std::move(model)), random_(seed) {}

  // One operation; `before` and `after` are the states that a cut in it may leave.
  void step(Model& before, Model& after) {
    before = model_;
    Model next = model_;
    const auto index = static_cast<std::uint32_t>(random_.below(store_.partition_count()));
    Partition& partition = store_.partition(index);
    const auto choice = random_.below(10);
    RecordId picked = RecordId::none;
    if (!model_.empty()) {
      auto it = model_.begin();
      std::advance(it, random_.below(model_.size()));
      picked = RecordId{it->first};
    }
    if (choice < 4 || picked == RecordId::none) {
      const RecordId id = partition.reserve<TestHeader>();
      if (id != RecordId::none) {
        State state = random_state();
        TestHeader header;
        if (fill(partition, header, state)) {
          next[id.value] = state;
          after = next;
          model_ = next;
          partition.create(id, header);
          partition.mark_sent(id);
        } else {
          partition.unreserve(id);
        }
      }
    } else {
      Partition& owner = store_.partition(*store_.partition_of(picked));
      if (choice < 8) {
        State state = random_state();
        TestHeader header = owner.get<TestHeader>(picked);
        if (random_.below(2)) {  // keep one blob, as most updates do
          state.first = model_[picked.value].first;
          TestHeader kept = header;
          if (fill(owner, header, state, false)) {
            header.first = kept.first;
            next[picked.value] = state;
            after = next;
            model_ = next;
            owner.commit(picked, header);
          }
        } else if (fill(owner, header, state)) {
          next[picked.value] = state;
          after = next;
          model_ = next;
          owner.commit(picked, header);
        }
      } else {
        next.erase(picked.value);
        after = next;
        model_ = next;
        owner.erase<TestHeader>(picked);
      }
    }
    partition.reclaim();
    for (std::uint32_t i = 0; i < store_.partition_count(); ++i) store_.partition(i).reclaim();
  }

  [[nodiscard]] const Model& model() const { return model_; }

 private:
  State random_state() {
    State state;
    state.number = random_.next() >> 2;
    state.first.assign(random_.below(300) + 1, static_cast<char>('a' + random_.below(26)));
    if (random_.below(2)) state.second.assign(random_.below(900) + 1, static_cast<char>('A' + random_.below(26)));
    return state;
  }

  static bool fill(Partition& partition, TestHeader& header, const State& state, bool with_first = true) {
    const BlobRef first = with_first ? partition.write(state.first) : header.first;
    const BlobRef second = partition.write(state.second);
    if (!first || (!state.second.empty() && !second)) {
      if (with_first && first) partition.abandon(first);
      if (second) partition.abandon(second);
      return false;
    }
    header.number = state.number;
    header.twice = 2 * state.number;
    header.first = first;
    header.second = second;
    return true;
  }

  Store& store_;
  Model model_;
  Random random_;
};

// At every write: copies the memory as a dead process leaves it, attaches the copy, and compares.
class Cutter : public WriteObserver {
 public:
  Cutter(const Memory& memory, const Model& before, const Model& after) : memory_(memory), before_(before), after_(after) {}
  void before_write(std::uint64_t, std::size_t) override {
    ++writes;
    if (writes % step != 0) return;
    ++cuts;
    Memory copy = memory_;
    auto store = attach(copy);
    ASSERT_NE(store, nullptr);
    ASSERT_EQ(store->attached().dropped, 0U);
    const Model found = read_all(*store);
    ASSERT_TRUE(found == before_ || found == after_) << "neither the old nor the new state, write " << writes;
    ASSERT_EQ(store->usage().used_bytes, bytes_of(found)) << "leaked or shared blobs, write " << writes;
    if (cuts % 50 == 0) {  // and the work goes on
      Worker worker(*store, found, writes);
      Model a, b;
      for (int i = 0; i < 30; ++i) worker.step(a, b);
      ASSERT_EQ(read_all(*store), worker.model());
      ASSERT_EQ(store->usage().used_bytes, bytes_of(worker.model()));
    }
  }
  std::uint64_t writes = 0, cuts = 0;

 private:
  const Memory& memory_;
  const Model& before_;
  const Model& after_;
};

TEST(CrashPoint, EveryWriteLeavesTheOldOrTheNewState) {
  Memory memory(memory_bytes / 8);
  auto store = attach(memory);
  ASSERT_NE(store, nullptr);
  Model before, after;
  Worker worker(*store, {}, 1);
  Cutter cutter(memory, before, after);
  store->observe(&cutter);
  for (int i = 0; i < 1150 && !testing::Test::HasFailure(); ++i) {
    before = after = worker.model();
    worker.step(before, after);
    after = worker.model();
  }
  EXPECT_EQ(read_all(*store), worker.model());
  EXPECT_GT(cutter.cuts, 50000U / step);
  RecordProperty("cuts", std::to_string(cutter.cuts));
}

// The first attach formats the memory: cut there, too.
TEST(CrashPoint, FormattingIsOneStep) {
  for (std::uint64_t cut = 0; cut < 64; ++cut) {
    Memory memory(memory_bytes / 8);
    Memory formatted(memory_bytes / 8);
    ASSERT_NE(attach(formatted), nullptr);
    // Formatting writes the superblock; a prefix of it without the magic must count as an empty file.
    std::memcpy(reinterpret_cast<char*>(memory.data()) + 8, reinterpret_cast<char*>(formatted.data()) + 8, std::min<std::size_t>(cut, 56));
    ASSERT_NE(attach(memory), nullptr);
  }
}

}  // namespace
}  // namespace perdure::store
