#include <fmt/format.h>
#include <grp.h>

#include <span>
#include <string>
#include <string_view>

#include "app/options/sections.hpp"
#include "base/text_file.hpp"

namespace perdure::app {
namespace {

// "127.0.0.1:8090", "[::1]:8090"; empty: none
Result<> set_http(Config& config, std::string_view text) {
  config.admin.http = {};
  if (text.empty()) return {};
  const std::size_t colon = text.rfind(':');
  const auto port = colon == text.npos ? std::nullopt : number_from<std::uint16_t>(text.substr(colon + 1));
  const auto address = port ? SocketAddress::parse(text.substr(0, colon), *port) : std::nullopt;
  if (!address || (address->family == Family::IPv6 && !text.starts_with('[')))
    return fail(fmt::format("\"{}\" is not an address: write \"127.0.0.1:8090\" or \"[::1]:8090\"", text));
  config.admin.http = *address;
  return {};
}

Result<> set_group(Config& config, std::string_view text) {
  config.admin.group = text;
  if (!text.empty() && !getgrnam(config.admin.group.c_str())) return fail(fmt::format("\"{}\" is not a group of this system", text));
  return {};
}

const Option table[] = {
    {"admin", "http", R"("")",
     "Address of HTTP for administration, \"127.0.0.1:8090\" or \"[::1]:8090\": `POST /rpc`, `GET /metrics`, `GET /healthz`, `GET "
     "/readyz`. "
     "Port 0: the kernel chooses one, which `status` tells. On an address that others reach it needs `token_file` or `client_ca`. Empty: "
     "none.",
     TextOption{set_http}},
    {"admin", "token_file", "",
     "File with the token that requests carry (`Authorization: Bearer …`), one line of at least 16 characters, not readable by everybody. "
     "Read again by `perdure reload`. Without it any program of this machine may ask on loopback.",
     PathOption{[](Config& c) -> std::string& { return c.admin.token_file; }}},
    {"admin", "certificate", "", "PEM file with a certificate and its chain: HTTPS instead of HTTP. Read again by `perdure reload`.",
     PathOption{[](Config& c) -> std::string& { return c.admin.certificate; }}},
    {"admin", "private_key", "", "The PEM file of its key.", PathOption{[](Config& c) -> std::string& { return c.admin.private_key; }}},
    {"admin", "client_ca", "",
     "PEM file of the authorities of client certificates: without one of them there is no connection. With `token_file` both are asked "
     "for.",
     PathOption{[](Config& c) -> std::string& { return c.admin.client_ca; }}},
    {"admin", "connections", "64",
     "Most connections of HTTP at a time. One more takes the place of the oldest that has not shown the token yet.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.admin.connections; }, 1, 1024}},
    {"admin", "requests_per_second", "100",
     "Most requests that are let in, of all clients together; more get 429. Those without the token have as many of their own.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.admin.requests_per_second; }, 1, 10'000}},
    {"admin", "group", R"("")",
     "Group whose members may use the control socket: it becomes the group of the socket and of the state directory, which they may enter "
     "but not list. The server must be a member, too, or run as root. Empty: the owner alone.",
     TextOption{set_group}},
};

}  // namespace

std::span<const Option> admin_options() {
  return table;
}

}  // namespace perdure::app
