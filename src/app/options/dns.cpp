#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/sections.hpp"
#include "base/text_file.hpp"

namespace perdure::app {
namespace {

constexpr std::size_t name_servers_max = 4;

// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"
Result<> set_name_servers(Config& config, const std::vector<std::string>& texts) {
  if (texts.size() > name_servers_max) return fail(fmt::format("has more than {} servers", name_servers_max));
  for (const std::string_view text : texts) {
    bool good = SocketAddress::parse(text, 53).has_value();
    if (const std::size_t colon = text.rfind(':'); !good && colon != text.npos) {
      const auto port = number_from<std::uint16_t>(text.substr(colon + 1));
      good = port && *port && SocketAddress::parse(text.substr(0, colon), *port);
    }
    if (!good) return fail(fmt::format("\"{}\" is not an address or address:port", text));
  }
  config.dns.resolver.servers = texts;
  return {};
}

const Option table[] = {
    {"dns", "servers", "[]",
     "Name servers, \"192.0.2.53\" or \"192.0.2.53:5353\", asked in this order. Empty: those of /etc/resolv.conf. Names are taken as "
     "they are: no search list.",
     TextsOption{set_name_servers}},
    {"dns", "hosts_file", R"("/etc/hosts")",
     "Names in it have the addresses that stand there, and no server is asked for these. Read at the start of an engine. \"/dev/null\": "
     "none.",
     PathOption{[](Config& c) -> std::string& { return c.dns.resolver.hosts_file; }}},
    {"dns", "timeout", R"("1s")", "How long the first try of a server waits for its answer; each further round waits twice as long.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.timeout; }, 10ms, 30s}},
    {"dns", "tries", "2", "How often each server is asked.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.tries; }, 1, 10}},
    {"dns", "cache_max", "10000", "Most answers that are kept. When there are so many, what was asked for the longest ago makes room.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.cache.entries_max; }, 0, 10'000'000}},
    {"dns", "ttl_min", R"("10s")", "An answer is kept at least so long, whatever its TTL.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.ttl_min; }, 0s, 24h}},
    {"dns", "ttl_max", R"("1h")", "An answer is kept at most so long.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.ttl_max; }, 1s, 168h}},
    {"dns", "negative_ttl", R"("60s")",
     "That there is no such name or record is kept at most so long. That no server could say is kept for five seconds.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.negative_ttl; }, 0s, 24h}},
    {"dns", "stale_max", R"("1h")", "When no server can say, an answer that is older than its TTL by at most this stands in.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.resolver.cache.stale_max; }, 0s, 168h}},
    {"dns", "queries_max", "1000", "Most queries on their way at a time; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.queries_max; }, 1, 30'000}},
    {"dns", "queries_of_domain_max", "100",
     "Most of them for names with the same last two labels, so that nobody takes them all by having us ask for names of his own.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.resolver.queries_of_domain_max; }, 1, 30'000}},
    {"dns", "search_timeout", R"("5s")",
     "How long a request to a host name waits for all answers that it takes to find its servers; then it fails with 478. Nothing else "
     "waits meanwhile.",
     DurationOption{[](Config& c) -> Duration& { return c.dns.locating.timeout; }, 100ms, 30s}},
    {"dns", "naptr", "true",
     "Whether a name without port and transport is asked for NAPTR records first (RFC 3263 4.1). false: SRV records and addresses alone. "
     "(Kamailio's dns_try_naptr)",
     BooleanOption{[](Config& c) -> bool& { return c.dns.locating.policy.use_naptr; }}},
    {"dns", "prefer_ipv6", "false",
     "Whether the IPv6 addresses of a server are tried before its IPv4 addresses. A family that no socket listens with is never used.",
     BooleanOption{[](Config& c) -> bool& { return c.dns.locating.policy.prefer_ipv6; }}},
    {"dns", "targets_max", "8", "Most servers of one name that are tried, one after the other. A larger set of the DNS is cut.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dns.locating.policy.servers_max; }, 1, 32}},
    {"dns", "failover", "true",
     "Whether the next server of a name takes over when one gives no response in time (`transaction.fr_timer`, `t_set_fr`), cannot be "
     "connected to, or answers 503 (RFC 3263 4.3). The failure route runs when the last one has failed. (Kamailio's use_dns_failover)",
     BooleanOption{[](Config& c) -> bool& { return c.dns.locating.failover; }}},
    {"dns", "blocked_for", R"("60s")",
     "A server of a name that gave no response or could not be connected to is tried after all others for so long; one that answered 503 "
     "for as long as its Retry-After says, at most so long. 0s: servers that have failed are not remembered. (Kamailio's "
     "dst_blacklist_expire)",
     DurationOption{[](Config& c) -> Duration& { return c.dns.locating.blocked_for; }, 0s, 24h}},
};

}  // namespace

std::span<const Option> dns_options() {
  return table;
}

}  // namespace perdure::app
