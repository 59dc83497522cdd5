#pragma once
// One run: callers, gateways and the proxy on a network with faults, all decided by one seed.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/checkers.hpp"

namespace perdure::sim {

// A bug put in on purpose, to see that its checker notices.
enum class Canary : std::uint8_t {
  None,
  SecondFinal,      // a retransmitted failure has another reason phrase
  InviteTwice,      // a retransmitted INVITE has another branch
  WrongCancel,      // a CANCEL has another branch than its INVITE
  ForgottenCancel,  // no CANCEL leaves
  ForgottenAnswer,  // no 2xx to an INVITE leaves
  Uncommitted,      // an INVITE leaves with a branch that the store does not know
  StateBack,        // an answered transaction proceeds again
  LeftRecord,       // a record that no timer ends
};
struct CanaryKind {
  Canary canary;
  std::string_view name;
  std::string_view checker;  // that must notice
};
[[nodiscard]] const std::vector<CanaryKind>& canary_kinds();

struct WorldOptions {
  std::uint64_t seed = 1;
  std::size_t calls = 2000;
  Canary canary = Canary::None;
  bool script = false;  // route by sim/scripts/routes.lua; every tenth seed does anyway
  std::string trace;    // Call-ID whose ladder is wanted
};

struct WorldReport {
  std::vector<Violation> violations;
  std::uint64_t digest = 0;  // of every datagram: the same seed gives the same
  std::uint64_t calls = 0, answered = 0, cancelled = 0, crashes = 0, restarts = 0, packets = 0, lost = 0;
  std::uint64_t upgrades = 0;     // of the layout of the store
  std::uint64_t refused = 0;      // calls, because the store was full
  std::uint64_t misbehaving = 0;  // callers
  std::string ladder;             // of the call of the first violation, or the one asked for
};

[[nodiscard]] WorldReport run_world(const WorldOptions& options);

}  // namespace perdure::sim
