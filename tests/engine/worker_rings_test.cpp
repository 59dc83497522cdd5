#include "engine/worker_rings.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "edge/shared_region.hpp"

namespace perdure::engine {
namespace {

struct WorkerRingsTest : testing::Test {
  std::unique_ptr<edge::RingRegion> region = std::move(*edge::RingRegion::create(1, 65536));
  edge::RingProducer to_worker{region->inbound(0)};
  edge::RingConsumer from_worker{region->outbound(0)};
  const SocketAddress peer = *SocketAddress::parse("192.0.2.1", 5060);

  void receive(std::string_view text) {
    edge::Entry entry;
    entry.address = peer;
    entry.bytes = text;
    ASSERT_TRUE(to_worker.append(entry));
    to_worker.publish();
  }
  [[nodiscard]] proxy::Send output(std::string_view text) const {
    proxy::Send send;
    send.bytes = text;
    send.destination = peer;
    return send;
  }
};

TEST_F(WorkerRingsTest, ReleasesWhatItPublishedFor) {
  WorkerRings rings(*region, 0);
  receive("request");
  EXPECT_EQ(rings.next()->bytes, "request");
  ASSERT_TRUE(rings.send(output("answer"), false));
  rings.done();
  EXPECT_FALSE(from_worker.next()) << "nothing leaves before the batch is complete";
  rings.commit();
  EXPECT_EQ(from_worker.next()->bytes, "answer");
  EXPECT_EQ(WorkerRings(*region, 0).waiting(), 0U);
}

TEST_F(WorkerRingsTest, WhatWasNotCommittedComesAgain) {
  receive("request");
  {
    WorkerRings dead(*region, 0);
    (void)dead.next();
    ASSERT_TRUE(dead.send(output("not published"), false));
  }
  WorkerRings next(*region, 0);
  EXPECT_EQ(next.next()->bytes, "request");
  ASSERT_TRUE(next.send(output("published"), true));
  next.commit();
  const auto entry = from_worker.next();
  EXPECT_EQ(entry->bytes, "published");
  EXPECT_TRUE(entry->again);
}

TEST_F(WorkerRingsTest, BlamesTheMessageInWork) {
  receive("innocent");
  receive("suspect");
  for (int death = 0; death < 2; ++death) {
    WorkerRings dead(*region, 0);
    (void)dead.next();
    dead.done();
    (void)dead.next();
    WorkerRings next(*region, 0);
    EXPECT_EQ(next.blame(2), death == 1);
    const auto poison = next.poison();
    ASSERT_EQ(poison.size(), death == 1 ? 1U : 0U);
    if (death == 0) continue;
    EXPECT_EQ(poison.front().second.bytes, "suspect");
    next.discard(poison.front().first);
    EXPECT_EQ(next.next()->bytes, "innocent");
    EXPECT_FALSE(next.next());
  }
}

TEST_F(WorkerRingsTest, TellsTheEdgeThatDoesNotTakeAnything) {
  WorkerRings rings(*region, 0);
  const std::string large(30'000, 'x');
  EXPECT_TRUE(rings.send(output(large), false));
  EXPECT_TRUE(rings.send(output(large), false));
  EXPECT_FALSE(rings.send(output(large), false)) << "after a while";
  rings.commit();
  EXPECT_EQ(from_worker.next()->bytes, large) << "what had room is there";
}

TEST_F(WorkerRingsTest, MarksOfADeadEngineThatMakeNoSenseAreNotBelieved) {
  receive("request");
  edge::RingMarks& marks = region->marks(0);
  marks.batch_tail.store(region->outbound(0).control->tail.load());
  for (const std::uint64_t head : {std::uint64_t{1} << 40, UINT64_MAX - 63, std::uint64_t{65536}}) {
    marks.batch_tail.store(64);
    region->outbound(0).control->tail.store(64);
    marks.batch_head.store(head);
    marks.in_work.store(head);
    WorkerRings next(*region, 0);
    EXPECT_FALSE(next.blame(2));
    EXPECT_EQ(next.waiting(), 1U) << head;
  }
}

// Each request leads to one answer. Workers are killed wherever they just are: each request is answered, and an answer that was published
// is not given again, because its request does not come again.
TEST_F(WorkerRingsTest, AWorkerMayDieAtAnyInstruction) {
  std::uint64_t received = 0, answered = 0, again = 0;
  for (int round = 0; round < 40; ++round) {
    const pid_t worker = fork();
    if (worker == 0) {
      WorkerRings rings(*region, 0);
      while (true) {
        const auto entry = rings.next();
        if (!entry) {
          usleep(20);
          continue;
        }
        (void)rings.send(output(entry->bytes), false);
        rings.done();
        rings.commit();
      }
    }
    const auto take = [&] {
      while (const auto entry = from_worker.next()) {
        const std::uint64_t number = std::stoull(std::string(entry->bytes));
        if (number == answered + 1)
          ++answered;
        else
          ++again;
        from_worker.release();
      }
    };
    for (int i = 0; i < round * 5; ++i) {
      receive(std::to_string(++received));
      usleep(i % 3 == 0 ? 30 : 0);
      take();
    }
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
    take();
  }
  WorkerRings last(*region, 0);
  while (const auto entry = last.next()) {
    EXPECT_EQ(std::stoull(std::string(entry->bytes)), answered + 1);
    ++answered;
  }
  EXPECT_EQ(answered, received);
  EXPECT_EQ(again, 0U);
}

}  // namespace
}  // namespace perdure::engine
