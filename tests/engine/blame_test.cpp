#include "engine/blame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perdure::engine {
namespace {

using edge::Death;
using testing::ElementsAre;
using testing::IsEmpty;

class Blame : public testing::Test {
 protected:
  // The worker received something into that slot.
  void take(std::uint32_t worker, std::uint32_t slot) {
    region->headers(worker, slot / edge::batch_size)[slot % edge::batch_size].msg_len = 100;
  }
  // The worker was in work on the slot `of` another worker may have read.
  void mark_slot(std::uint32_t worker, edge::SlotId slot) {
    region->mark(worker).slot_worker = slot.worker;
    region->mark(worker).slot = slot.slot + 1;
  }
  void mark_record(std::uint32_t worker, std::uint32_t record) { region->mark(worker).record = record; }

  std::unique_ptr<edge::SharedRegion> region = *edge::SharedRegion::create(2);
};

TEST_F(Blame, AMessageIsPoisonAfterTwoCrashes) {
  for (const auto death : {Death::Crashed, Death::Hung}) {
    take(1, 40);
    region->info({1, 40}) = {};
    mark_slot(0, {1, 40});
    EXPECT_THAT(assign_blame(*region, nullptr, death).messages, IsEmpty());
    EXPECT_EQ(region->mark(0).slot, 0U);
    mark_slot(0, {1, 40});
    EXPECT_THAT(assign_blame(*region, nullptr, death).messages, ElementsAre(edge::SlotId{1, 40}));
    region->finish({1, 40});
  }
}

TEST_F(Blame, AMessageIsPoisonAfterFourKills) {
  take(0, 3);
  for (int i = 0; i < 3; ++i) {
    mark_slot(0, {0, 3});
    EXPECT_THAT(assign_blame(*region, nullptr, Death::Killed).messages, IsEmpty());
  }
  mark_slot(0, {0, 3});
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Killed).messages, ElementsAre(edge::SlotId{0, 3}));
}

TEST_F(Blame, NobodyIsToBlameForAnOrderlyEnd) {
  take(0, 3);
  for (const auto death : {Death::Planned, Death::None})
    for (int i = 0; i < 10; ++i) {
      mark_slot(0, {0, 3});
      mark_record(0, 5);
      const auto poison = assign_blame(*region, nullptr, death);
      EXPECT_THAT(poison.messages, IsEmpty());
      EXPECT_THAT(poison.records, IsEmpty());
    }
  EXPECT_EQ(region->mark(0).record, edge::no_record);
  EXPECT_EQ(region->info({0, 3}).blame, 0);
}

TEST_F(Blame, AFinishedSlotTakesNone) {
  mark_slot(0, {0, 3});
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).messages, IsEmpty());
  EXPECT_EQ(region->info({0, 3}).blame, 0);
}

TEST_F(Blame, MarksThatMakeNoSenseAreTakenDown) {
  mark_slot(0, {7, 3});
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).messages, IsEmpty());
  mark_slot(0, {0, edge::slots_per_worker});
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).messages, IsEmpty());
  EXPECT_EQ(region->mark(0).slot, 0U);
}

TEST_F(Blame, ARecordIsPoisonAfterTwoCrashesInARow) {
  mark_record(0, 5);
  mark_record(1, 6);
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).records, IsEmpty());
  mark_record(1, 5);
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).records, ElementsAre(5U));
  // It is no suspect any more: the id is free for another one.
  mark_record(0, 5);
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).records, IsEmpty());
}

TEST_F(Blame, ARecordIsNotPoisonBecauseItsIdComesBackAmongUnrelatedKills) {
  for (int i = 0; i < 100; ++i) {
    mark_record(0, i % 3 == 0 ? 5U : 100U + static_cast<std::uint32_t>(i));
    EXPECT_THAT(assign_blame(*region, nullptr, Death::Killed).records, IsEmpty()) << i;
  }
}

TEST_F(Blame, TheTableOfSuspectsNeverOverflows) {
  for (std::uint32_t i = 0; i < 100; ++i) {
    mark_record(0, 2 * i);
    mark_record(1, 2 * i + 1);
    EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).records, IsEmpty());
  }
  mark_record(0, 199);
  EXPECT_THAT(assign_blame(*region, nullptr, Death::Crashed).records, ElementsAre(199U));
}

TEST_F(Blame, AMessageGoesBeforeTheRecordThatItIsFor) {
  take(0, 3);
  for (int i = 0; i < 2; ++i) {
    mark_slot(0, {0, 3});
    mark_record(0, 5);
    const auto poison = assign_blame(*region, nullptr, Death::Crashed);
    EXPECT_EQ(poison.messages.size(), i == 0 ? 0U : 1U);
    EXPECT_THAT(poison.records, IsEmpty());
  }
  region->finish({0, 3});
  // The next message for it kills as well: then it is the record.
  take(0, 4);
  mark_slot(0, {0, 4});
  mark_record(0, 5);
  const auto poison = assign_blame(*region, nullptr, Death::Crashed);
  EXPECT_THAT(poison.messages, IsEmpty());
  EXPECT_THAT(poison.records, ElementsAre(5U));
}

}  // namespace
}  // namespace perdure::engine
