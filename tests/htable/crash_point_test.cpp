// A series of changes is cut after every single write to the store. Each copy must attach with every entry exactly as before or after the
// change that was cut, and count on.
#include <map>

#include "base/random.hpp"
#include "memory_store.hpp"

namespace perdure::htable {
namespace {

constexpr Time start = Time(1000s);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t every = 16;
#else
constexpr std::uint64_t every = 3;
#endif

using Model = std::map<std::string, Value>;

Model read_all(const Tables& tables) {
  Model model;
  for (const auto& table : tables.all())
    for (std::size_t i = 0; i < table->shard_count(); ++i) {
      std::vector<Table::View> views;
      table->list(i, start, views);
      for (auto& view : views) model[table->name() + ":" + view.key] = view.value;
    }
  return model;
}

std::vector<TableOptions> options() {
  return {{.name = "a", .initval = 0, .persist = true}, {.name = "b", .persist = true}};
}

class Cutter : public store::WriteObserver {
 public:
  Cutter(Memory& memory) : memory_(memory) {}
  void before_write(std::uint64_t, std::size_t) override {
    if (!armed || ++writes_ % every != 0) return;
    Memory copy = memory_;
    Tables tables(options());
    const auto report = tables.attach(open_store(copy), start, 0);
    ASSERT_EQ(report.damaged + report.orphans, 0U);
    const Model found = read_all(tables);
    ASSERT_TRUE(found == before || found == after) << "after " << writes_ << " writes";
    std::int64_t result = 0;
    ASSERT_EQ(tables.find("a")->add("counter", 1, start, result), Change::Done);
    const auto old = found.find("a:counter");
    ASSERT_EQ(result, old != found.end() && old->second.is_number ? old->second.number + 1 : 1);
    ++cuts;
  }
  bool armed = false;
  Model before, after;
  std::uint64_t cuts = 0;

 private:
  Memory& memory_;
  std::uint64_t writes_ = 0;
};

TEST(PersistentTables, SurviveACutAtEveryWrite) {
  Memory memory((256 * 1024) / 8);
  Cutter cutter(memory);
  Tables tables(options());
  (void)tables.attach(open_store(memory, 0, &cutter), start, 0);
  Random random(3);
  Model model;
  cutter.armed = true;
  for (int step = 0; step < 150; ++step) {
    Table& table = *tables.all()[random.below(2)];
    const std::string key = random.below(4) == 0 ? "counter" : "key" + std::to_string(random.below(20));
    const std::string full = table.name() + ":" + key;
    const auto choice = random.below(8);
    cutter.before = cutter.after = model;
    std::int64_t result = 0;
    if (full == "a:counter") {
      const auto old = model.find(full);
      cutter.after[full] = Value::of(old == model.end() ? std::int64_t{1} : old->second.number + 1);
      ASSERT_EQ(table.add(key, 1, start, result), Change::Done);
    } else if (choice < 6) {
      const Value value = choice < 2 ? Value::of(static_cast<std::int64_t>(random.below(1000)))
                                     : Value::of(std::string(random.below(300), static_cast<char>('a' + random.below(26))));
      cutter.after[full] = value;
      ASSERT_EQ(table.set(key, value, start), Change::Done);
    } else if (choice == 6) {
      cutter.after.erase(full);
      table.erase(key);
    } else {
      table.set_lifetime(key, 5s, start);
    }
    ASSERT_FALSE(HasFatalFailure());
    model = cutter.after;
    ASSERT_EQ(read_all(tables), model);
  }
  EXPECT_GT(cutter.cuts, 100U);
}

}  // namespace
}  // namespace perdure::htable
