#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

constexpr std::size_t redis_servers_max = 64;

Result<> set_redis_url(Config& config, std::string_view text) {
  if (auto target = net::RedisTarget::parse(text); !target) return std::unexpected(target.error());
  config.redis.back().options.url = text;
  return {};
}

const Option table[] = {
    {"redis.*", "url", "",
     "A server for `KSR.ndb_redis`: redis://user:password@host:port/number or unix:///path/of/the/socket, reserved characters of user and "
     "password as %XX. It is connected to when it is first asked; after a failure again after 100 ms, then twice as long, up to 5 s.",
     TextOption{set_redis_url}},
    {"redis.*", "connections", "4", "Connections to it, each with a thread; further commands wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.redis.back().options.connections; }, 1, 256}},
    {"redis.*", "queue_max", "10000", "Most commands that wait for a connection; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.redis.back().options.queue_max; }, 1, 1'000'000}},
    {"redis.*", "timeout", R"("1s")", "How long a callback waits for a reply, waiting for a connection included.",
     DurationOption{[](Config& c) -> Duration& { return c.redis.back().options.timeout; }, 10ms, 60s}},
    {"redis.*", "reply_max", R"("1MiB")", "Largest reply; a larger one is an error and closes its connection.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.redis.back().options.bytes_max; }, 1ULL << 10, 256ULL << 20}},
};

}  // namespace

Result<> begin_redis(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.redis.size() >= redis_servers_max) return fail(fmt::format("more than {} Redis servers", redis_servers_max));
  config.redis.emplace_back().name = name;
  return {};
}

std::span<const Option> redis_options() {
  return table;
}

}  // namespace perdure::app
