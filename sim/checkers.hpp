#pragma once
// What must hold while a world runs. Each checker looks at what leaves the proxy, at its store, or at what the user agents saw at the end.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "sim/plan.hpp"
#include "sip/message.hpp"
#include "store/store.hpp"
#include "transaction/record.hpp"

namespace perdure::sim {

struct Violation {
  std::string_view checker;
  std::string call_id;  // empty: of no call in particular
  std::string text;
};

// One call of the world as it was planned and as its caller saw it.
struct SimulatedCall {
  CallPlan plan;
  std::unique_ptr<Caller> caller;
  bool shares_branch = false;  // with another call: what becomes of the two is their own fault
};

// What checkers may look at.
struct WorldView {
  const std::vector<SimulatedCall>& calls;
  const std::vector<std::unique_ptr<Gateway>>& gateways;
  store::Store& store;
  std::uint64_t secret;
  bool may_refuse = false;  // the store is so small that it is full now and then
};

class Checker {
 public:
  explicit Checker(std::string_view checker_name) : name_(checker_name) {}
  virtual ~Checker() = default;
  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }

  // A datagram leaves the proxy. `message` is parsed from it.
  virtual void on_output(const WorldView&, Time, const SocketAddress& /*to*/, const sip::Message&) {}
  // Between two inputs, every now and then; not while no process has the store.
  virtual void on_state(const WorldView&, Time) {}
  // Nothing happens any more.
  virtual void at_end(const WorldView&) {}

 protected:
  void report(std::string_view call_id, std::string text);

 private:
  static constexpr std::size_t kept_max = 20;
  const std::string_view name_;
  std::vector<Violation> violations_;
};

// All of them, new.
[[nodiscard]] std::vector<std::unique_ptr<Checker>> make_checkers();

}  // namespace perdure::sim
