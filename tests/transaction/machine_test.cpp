#include "transaction/machine.hpp"

#include <gtest/gtest.h>

#include <set>

namespace perdure::transaction {
namespace {

constexpr Machine machines[] = {Machine::InviteClient, Machine::NonInviteClient, Machine::InviteServer, Machine::NonInviteServer};

TEST(Machine, EveryRowIsFoundAndNamesItsSection) {
  for (const Machine machine : machines)
    for (const Row& row : rows(machine)) {
      EXPECT_EQ(find(machine, row.state, row.event), &row);
      EXPECT_TRUE(row.reference.starts_with("RFC ")) << name(machine) << ": " << row.reference;
    }
}

TEST(Machine, EveryStateCanEnd) {
  for (const Machine machine : machines) {
    std::set<State> ends{State::Terminated};
    for (bool grown = true; grown;) {
      grown = false;
      for (const Row& row : rows(machine))
        if (ends.contains(row.next)) grown |= ends.insert(row.state).second;
    }
    for (const Row& row : rows(machine)) EXPECT_TRUE(ends.contains(row.state)) << name(machine) << " " << name(row.state);
  }
}

TEST(Machine, WhatTheRfcSaysOfRetransmissions) {
  // RFC 6026 7.1: a retransmitted INVITE in Accepted is absorbed without an answer; in Completed it gets the final response.
  EXPECT_EQ(find(Machine::InviteServer, State::Accepted, Event::Request), nullptr);
  EXPECT_TRUE(find(Machine::InviteServer, State::Completed, Event::Request)->actions & SendResponse);
  // RFC 6026 7.2: every 2xx goes upstream, also its retransmissions.
  EXPECT_TRUE(find(Machine::InviteClient, State::Accepted, Event::Response2xx)->actions & PassUp);
  // RFC 3261 17.1.1.2: a retransmitted final response is acknowledged and goes no further.
  EXPECT_EQ(find(Machine::InviteClient, State::Completed, Event::Response3xxTo6xx)->actions, SendAck);
  // RFC 4320: no provisional response to a non-INVITE request.
  EXPECT_EQ(find(Machine::NonInviteServer, State::Trying, Event::Send1xx), nullptr);
}

TEST(Machine, DrawsItself) {
  for (const Machine machine : machines) {
    const std::string dot = to_dot(machine);
    for (const Row& row : rows(machine))
      EXPECT_NE(dot.find(std::string(name(row.state)) + " -> " + std::string(name(row.next))), std::string::npos);
  }
}

}  // namespace
}  // namespace perdure::transaction
