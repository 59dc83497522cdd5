#include "metrics/region.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "metrics/gateways.hpp"

namespace perdure::metrics {
namespace {

std::unique_ptr<Region> make(std::uint32_t workers = 2, std::uint64_t layout = 7) {
  auto made = Region::create(workers, layout);
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

TEST(Region, WhatOneProcessCountsAnotherSees) {
  const auto edge = make();
  const auto engine = Region::map(dup(edge->descriptor()), 2, 7);
  ASSERT_TRUE(engine.has_value());
  (*engine)->worker(1).requests[1].add(3);
  (*engine)->worker(1).added_latency.record(5'000);
  (*engine)->attaches().recovered.add(9);
  EXPECT_EQ(edge->worker(1).requests[1].get(), 3U);
  EXPECT_EQ(edge->worker(0).requests[1].get(), 0U);
  Distribution latency;
  edge->worker(1).added_latency.add_to(latency);
  EXPECT_EQ(latency.count(), 1U);
  EXPECT_EQ(edge->attaches().recovered.get(), 9U);
}

TEST(Region, AnotherLayoutIsNotTouched) {
  const auto edge = make();
  EXPECT_FALSE(Region::map(dup(edge->descriptor()), 2, 8).has_value());
  EXPECT_FALSE(Region::map(dup(edge->descriptor()), 3, 7).has_value());
  EXPECT_FALSE(Region::map(dup(0), 2, 7).has_value());
}

TEST(Region, AGatewayKeepsItsBlockOverEngines) {
  const auto region = make();
  GatewayBlock* const block = region->gateway("sip:192.0.2.1:5060");
  ASSERT_NE(block, nullptr);
  block->requests.add_shared();
  EXPECT_NE(region->gateway("sip:192.0.2.10:5060"), block);
  EXPECT_EQ(region->gateway("sip:192.0.2.1:5060"), block);
  EXPECT_EQ(region->gateway(""), nullptr);
  EXPECT_EQ(region->gateway(std::string(gateway_uri_max + 1, 'x')), nullptr);
  const auto all = region->gateways();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]->name(), "sip:192.0.2.1:5060");
  EXPECT_EQ(all[0]->requests.get(), 1U);
}

TEST(Region, MoreGatewaysThanThereIsRoomForAreNotCounted) {
  const auto region = make(1);
  for (std::size_t i = 0; i < gateways_max; ++i) ASSERT_NE(region->gateway(fmt::format("sip:{}", i)), nullptr);
  EXPECT_EQ(region->gateway("sip:more"), nullptr);
  EXPECT_NE(region->gateway("sip:0"), nullptr);
}

TEST(Gateways, AnAddressLeadsToTheFirstDestinationThatHasIt) {
  const auto region = make();
  const auto address = *SocketAddress::parse("192.0.2.1", 5060), other = *SocketAddress::parse("192.0.2.1", 5062);
  const Gateways::Gateway listed[] = {{"sip:192.0.2.1", address}, {"sip:192.0.2.1:5060", address}};
  const Gateways gateways(*region, listed);
  ASSERT_NE(gateways.find(address), nullptr);
  EXPECT_EQ(gateways.find(address)->name(), "sip:192.0.2.1");
  EXPECT_EQ(gateways.find(other), nullptr);
}

}  // namespace
}  // namespace perdure::metrics
