#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"
#include "base/text_file.hpp"
#include "shared/state.hpp"
#include "sip/uri.hpp"

namespace perdure::app {
namespace {

Result<> set_listen(Config& config, const std::vector<std::string>& texts) {
  if (texts.empty()) return fail("needs at least one address");
  config.listen.clear();
  for (const auto& text : texts) {
    const auto listen = parse_listen(text);
    if (!listen) return std::unexpected(listen.error());
    for (const auto& other : config.listen)
      if (other == *listen) return fail(fmt::format("\"{}\" stands there twice", text));
    config.listen.push_back(*listen);
  }
  return {};
}

// "host", "host:port", "[2001:db8::1]:port"
Result<> check_host(std::string_view text, std::string& host, std::uint16_t& port) {
  const std::string uri_text = fmt::format("sip:{}", text);
  const auto uri = sip::Uri::parse(uri_text);
  if (!uri || uri->has_user || !uri->params.empty() || uri->has_headers || uri->host.empty())
    return fail(fmt::format("\"{}\" is not a host or host:port", text));
  host = uri->host;
  port = uri->port;
  return {};
}

Result<> set_advertise(Config& config, std::string_view text) {
  return check_host(text, config.advertised_host, config.advertised_port);
}

Result<> set_aliases(Config& config, const std::vector<std::string>& texts) {
  std::string host;
  std::uint16_t port = 0;
  for (const auto& text : texts)
    if (auto checked = check_host(text, host, port); !checked) return checked;
  config.aliases = texts;
  return {};
}

// "name=i:5" or "name=s:text", as Kamailio's shvset has it.
Result<> set_shared_variables(Config& config, const std::vector<std::string>& texts) {
  config.shared_variables.clear();
  if (texts.size() > shared::variables_max) return fail(fmt::format("has more than {} variables", shared::variables_max));
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (auto checked = check_name(name); !checked) return checked;
    const std::string_view value = equals == text.npos ? std::string_view{} : text.substr(equals + 1);
    const auto number = value.starts_with("i:") ? number_from<std::int64_t>(value.substr(2)) : std::nullopt;
    if (!number && !value.starts_with("s:")) return fail(fmt::format("\"{}\" is not name=i:NUMBER or name=s:TEXT", text));
    config.shared_variables.emplace_back(name, number ? Value::of(*number) : Value::of(value.substr(2)));
  }
  return {};
}

const Option table[] = {
    {"", "listen", R"(["udp:127.0.0.1:5060"])",
     "Addresses to receive on, each \"transport:address:port\" with the transport udp, tcp, tls, ws or wss and a numeric IPv4 address or "
     "an IPv6 address in brackets. tls and wss need `tls.certificates`. 0.0.0.0 and [::] need `advertise`. Port 0: the kernel chooses one, "
     "which the line `ready` tells.",
     TextsOption{set_listen}},
    {"", "advertise", "",
     "Host, or host:port, that stands in Via and Record-Route instead of the address itself, for example behind a NAT or for a name in "
     "DNS.",
     TextOption{set_advertise}},
    {"", "alias", "[]",
     "Further names that are this server, each a host or host:port: a Request-URI or Route with one of them is ours (`is_myself`).",
     TextsOption{set_aliases}},
    {"", "workers", "0", "Threads that route calls. 0: one for each processor.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.workers; }, 0, 64}},
    {"", "script", "",
     "The routing script in Lua. Without it an embedded one runs, which relays to the numeric address in the Request-URI; it is for trying "
     "out on loopback only.",
     PathOption{[](Config& c) -> std::string& { return c.script; }}},
    {"", "script_instructions", "1000000",
     "Lua instructions that a callback may take with all that it calls; then it is stopped with an error. Loading the script may take 100 "
     "times as many.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.script_instructions; }, 10'000, 1'000'000'000}},
    {"", "script_time", R"("500ms")",
     "Processor time that a callback may take, for calls of Lua's library that go over megabytes count as one instruction each. Loading "
     "may "
     "take 100 times as much.",
     DurationOption{[](Config& c) -> Duration& { return c.script_time; }, 10ms, 60s}},
    {"", "script_memory", R"("64MiB")",
     "Memory that the Lua script may use in each worker; a callback that asks for more is stopped with an error, as is one that allocates "
     "four times as much in all, garbage included.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.script_memory_bytes; }, 4ULL << 20, 4ULL << 30}},

    {"", "shv", "[]",
     "Variables that the scripts of all workers share, `$shv(name)`, and what they begin with: each \"name=i:5\" or \"name=s:text\". "
     "Others "
     "begin with 0. They are lost with the engine; a persistent hash table is not.",
     TextsOption{set_shared_variables}},
};

}  // namespace

std::span<const Option> general_options() {
  return table;
}

}  // namespace perdure::app
