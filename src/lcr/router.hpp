#pragma once
// The list in use, which of its gateways are out of work, and the order in which a call tries them.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "lcr/list.hpp"
#include "lcr/state_file.hpp"

namespace perdure::lcr {

struct Options {
  std::uint32_t inactivate_threshold = 1;  // failures after which a gateway is out of work
  Duration inactive_time{};                // for how long
};

// Any thread. A gateway that stays in the list keeps its state, the next engine goes on with it.
class Router {
 public:
  explicit Router(Options options) : options_(options) {}
  [[nodiscard]] std::shared_ptr<const List> list() const { return list_.load(std::memory_order_acquire); }
  void replace(List list);
  // From now on the states live in that file, and what the last engine has left there is taken over.
  [[nodiscard]] Result<> open_states(const std::string& path, Time now);

  // Positions in list.gateways(), in the order in which they are to be tried: by the length of the prefix, priority,
  // and chance by weight. Without those that are out of work.
  [[nodiscard]] std::vector<std::uint16_t> order(const List& list, std::uint32_t instance, std::string_view user, std::string_view caller,
                                                 std::string_view request, Time now, Random& random) const;

  // False: there is no such gateway.
  bool put_out_of_work(std::uint32_t instance, std::string_view gateway, Time until);
  // A failure: at the threshold it is out of work.
  bool count_failure(std::uint32_t instance, std::string_view gateway, Time now);
  [[nodiscard]] GatewayState state(const Gateway& gateway, Time now) const;

 private:
  using Key = std::pair<std::uint32_t, std::string>;  // instance and name of the gateway
  [[nodiscard]] const Gateway* find(const List& list, std::uint32_t instance, std::string_view gateway) const;
  [[nodiscard]] bool is_out(const Gateway& gateway, Time now) const;  // with mutex_
  void keep(const Gateway& gateway, const GatewayState& state);       // with mutex_

  const Options options_;
  std::atomic<std::shared_ptr<const List>> list_{std::make_shared<const List>()};
  mutable std::mutex mutex_;
  std::map<Key, GatewayState> states_;  // of those with failures or out of work
  StateFile file_;
};

}  // namespace perdure::lcr
