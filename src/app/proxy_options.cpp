#include "app/proxy_options.hpp"

#include <cstdint>
#include <optional>

namespace perdure::app {

proxy::ProxyOptions proxy_options(const Config& config) {
  const auto& transaction = config.transaction;
  proxy::ProxyOptions options;
  options.aliases = config.aliases;
  options.t1 = transaction.t1;
  options.t2 = transaction.t2;
  options.t4 = transaction.t4;
  options.timer_c = transaction.timer_c;
  options.fr_timer = transaction.fr_timer;
  options.forward_stray_responses = transaction.forward_stray_responses;
  options.cancel_unknown_forwards = transaction.cancel_unknown_forwards;
  options.branches_max = transaction.branches_max;
  options.max_breadth = transaction.max_breadth;
  options.udp_request_max = transaction.udp_request_max;
  options.waiting_max = transaction.waiting_max;
  options.local_request_route = config.event_callback.tm;
  options.locating = config.dns.locating;
  const auto flag = [](const std::optional<std::int64_t>& number) {
    return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
  };
  options.accounting = {flag(config.acc.log_flag), flag(config.acc.log_missed_flag), flag(config.acc.failed_transaction_flag)};
  options.restore_addresses = config.uac.restore_mode;
  options.restore_password = config.uac.restore_password;
  return options;
}

}  // namespace perdure::app
