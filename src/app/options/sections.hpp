#pragma once
// The options by section, a file each in this folder; options.cpp puts them together in the order of this list.
#include <span>
#include <string_view>

#include "app/options.hpp"

namespace perdure::app {

[[nodiscard]] std::span<const Option> general_options();
[[nodiscard]] std::span<const Option> state_options();
[[nodiscard]] std::span<const Option> transaction_options();
[[nodiscard]] std::span<const Option> dispatcher_options();
[[nodiscard]] std::span<const Option> htable_options();
[[nodiscard]] std::span<const Option> permissions_options();
[[nodiscard]] std::span<const Option> routing_options();
[[nodiscard]] std::span<const Option> limits_options();
[[nodiscard]] std::span<const Option> sql_options();
[[nodiscard]] std::span<const Option> accounting_options();
[[nodiscard]] std::span<const Option> events_options();
[[nodiscard]] std::span<const Option> dns_options();
[[nodiscard]] std::span<const Option> redis_options();
[[nodiscard]] std::span<const Option> http_options();
[[nodiscard]] std::span<const Option> log_options();
[[nodiscard]] std::span<const Option> trace_options();
[[nodiscard]] std::span<const Option> connections_options();
[[nodiscard]] std::span<const Option> tls_options();
[[nodiscard]] std::span<const Option> websocket_options();
[[nodiscard]] std::span<const Option> engine_options();
[[nodiscard]] std::span<const Option> admin_options();

// Whether log lines come from a component of that name.
[[nodiscard]] bool is_log_component(std::string_view name);

// Of SectionFamily.
[[nodiscard]] Result<> begin_htable(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_pipe(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_tree(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_database(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_timer(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_redis(Config& config, std::string_view name);
[[nodiscard]] Result<> begin_http_connection(Config& config, std::string_view name);

}  // namespace perdure::app
