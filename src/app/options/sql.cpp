#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

constexpr std::size_t databases_max = 64;

Result<> set_database_url(Config& config, std::string_view text) {
  auto& options = config.databases.back().options;
  options.url = text;
  if (auto target = net::SqlTarget::parse(options); !target) return std::unexpected(target.error());
  return {};
}

const Option table[] = {
    {"sql.*", "url", "",
     "A database for `KSR.sqlops`: sqlite:///absolute/path, postgres://user:password@host:port/name or "
     "mysql://user:password@host:port/name, "
     "reserved characters of user and password as %XX. It is connected to when it is first asked.",
     TextOption{set_database_url}},
    {"sql.*", "connections", "4", "Connections to it, each with a thread; further queries wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.databases.back().options.connections; }, 1, 256}},
    {"sql.*", "queue_max", "10000", "Most queries that wait for a connection; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.databases.back().options.queue_max; }, 1, 1'000'000}},
    {"sql.*", "timeout", R"("5s")",
     "How long a callback waits for an answer, waiting for a connection included. PostgreSQL and MySQL are told to end a statement that "
     "takes so long.",
     DurationOption{[](Config& c) -> Duration& { return c.databases.back().timeout; }, 10ms, 60s}},
};

}  // namespace

Result<> begin_database(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.databases.size() >= databases_max) return fail(fmt::format("more than {} databases", databases_max));
  config.databases.emplace_back().name = name;
  return {};
}

std::span<const Option> sql_options() {
  return table;
}

}  // namespace perdure::app
