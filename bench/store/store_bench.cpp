// What the store costs: a commit, an attach, and bytes for each open transaction. Targets are in DESIGN section 13: at most 4 KiB for an
// open INVITE transaction with messages of 1 KiB and one branch, attach of 100,000 within 50 ms and of a million within 500 ms.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "transaction/record.hpp"

namespace perdure::store {
namespace {

using transaction::TransactionHeader;

// Sizes of a call that rings: the INVITE as received and as sent, the 180 as it went upstream, what the script left.
constexpr std::size_t received_bytes = 1024, sent_bytes = 1160, response_bytes = 480, context_bytes = 160;

struct Texts {
  std::string received = std::string(received_bytes, 'r'), sent = std::string(sent_bytes, 's'), response = std::string(response_bytes, 'p'),
              context = std::string(context_bytes, 'c');
};

Options options_for(std::uint64_t transactions, const std::string& path) {
  Options options;
  options.path = path;
  options.max_bytes = (transactions * 6000) + (64 << 20);
  options.boot_id = 1;
  options.kinds = {kind_info<TransactionHeader>()};
  return options;
}

RecordId add_ringing(Partition& partition, const Texts& texts, std::uint64_t key) {
  const RecordId id = partition.reserve<TransactionHeader>();
  if (id == RecordId::none) return id;
  TransactionHeader header;
  header.key = key;
  header.branch_count = 1;
  header.request = partition.write(texts.received);
  header.branch.request = partition.write(texts.sent);
  header.response = partition.write(texts.response);
  header.context = partition.write(texts.context);
  partition.create(id, header);
  return id;
}

// A store with that many ringing calls, in a file that goes with it.
class Filled {
 public:
  explicit Filled(std::uint64_t transactions) : path_("/dev/shm/perdure-bench-" + std::to_string(::getpid())) {
    auto store = Store::open(options_for(transactions, path_));
    if (!store) std::fprintf(stderr, "%s\n", store.error().message.c_str()), std::exit(1);
    const Texts texts;
    for (std::uint64_t i = 0; i < transactions; ++i)
      if (add_ringing((*store)->partition(static_cast<std::uint32_t>(i % (*store)->partition_count())), texts, i) == RecordId::none)
        std::fprintf(stderr, "%s: full after %lu transactions\n", path_.c_str(), static_cast<unsigned long>(i)), std::exit(1);
    usage_ = (*store)->usage();
  }
  ~Filled() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const Usage& usage() const { return usage_; }

 private:
  std::string path_;
  Usage usage_;
};

void attach(benchmark::State& state, bool verify) {
  const auto transactions = static_cast<std::uint64_t>(state.range(0));
  const Filled filled(transactions);
  Options options = options_for(transactions, filled.path());
  for (auto _ : state) {
    if (verify) ++options.boot_id;
    auto store = Store::open(options);
    if (!store || (*store)->attached().records != transactions) state.SkipWithError("not attached");
    state.SetIterationTime(std::chrono::duration<double>((*store)->attach_duration()).count());
  }
  state.counters["used_per_transaction"] = static_cast<double>(filled.usage().used_bytes) / static_cast<double>(transactions);
  state.counters["claimed_per_transaction"] = static_cast<double>(filled.usage().claimed_bytes) / static_cast<double>(transactions);
}
void Attach(benchmark::State& state) {
  attach(state, false);
}
void AttachAndVerify(benchmark::State& state) {
  attach(state, true);
}
BENCHMARK(Attach)->Arg(1000)->Arg(10000)->Arg(100000)->Arg(1000000)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(AttachAndVerify)->Arg(1000)->Arg(10000)->Arg(100000)->UseManualTime()->Unit(benchmark::kMillisecond);

class Working : public benchmark::Fixture {
 public:
  void SetUp(const benchmark::State&) override { store_ = std::move(*Store::open(options_for(100000, {}))); }
  void TearDown(const benchmark::State&) override { store_.reset(); }
  std::unique_ptr<Store> store_;
  Texts texts_;
};

// A change of state without new bytes.
BENCHMARK_F(Working, Commit)(benchmark::State& state) {
  Partition& partition = store_->partition(0);
  const RecordId id = add_ringing(partition, texts_, 1);
  TransactionHeader header = partition.get<TransactionHeader>(id);
  for (auto _ : state) {
    ++header.status;
    partition.commit(id, header);
    partition.reclaim();
  }
}

// A response comes in and goes up: a blob is replaced.
BENCHMARK_F(Working, CommitWithResponse)(benchmark::State& state) {
  Partition& partition = store_->partition(0);
  const RecordId id = add_ringing(partition, texts_, 1);
  TransactionHeader header = partition.get<TransactionHeader>(id);
  for (auto _ : state) {
    header.response = partition.write(texts_.response);
    partition.commit(id, header);
    partition.mark_sent(id);
    partition.reclaim();
  }
}

// The life of a transaction among 50,000 others: created, changed twice, erased.
BENCHMARK_F(Working, WholeLife)(benchmark::State& state) {
  Partition& partition = store_->partition(0);
  std::vector<RecordId> ids;
  for (std::uint64_t i = 0; i < 50000; ++i) ids.push_back(add_ringing(partition, texts_, i));
  std::size_t next = 0;
  for (auto _ : state) {
    RecordId& id = ids[next = (next + 7919) % ids.size()];
    partition.erase<TransactionHeader>(id);
    partition.reclaim();
    id = add_ringing(partition, texts_, next);
    TransactionHeader header = partition.get<TransactionHeader>(id);
    header.status = 180;
    partition.commit(id, header);
    header.status = 200;
    header.response = partition.write(texts_.response);
    partition.commit(id, header);
    partition.mark_sent(id);
  }
}

}  // namespace
}  // namespace perdure::store
