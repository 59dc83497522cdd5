#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t http_connections_max = 256;

constexpr std::array http_results = {"first-line"sv, "full"sv};

script::HttpConnection& last_http_connection(Config& config) {
  return config.http_connections.back().second;
}

Result<> set_http_url(Config& config, std::string_view text) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) return fail("begins with http:// or https://");
  while (text.ends_with('/')) text.remove_suffix(1);
  last_http_connection(config).url = text;
  return {};
}

const Option table[] = {
    {"http_client", "timeout", R"("4s")", "How long `KSR.http_client` and `KSR.http_async_client` wait for a response.",
     DurationOption{[](Config& c) -> Duration& { return c.http.timeout; }, 10ms, 60s}},
    {"http_client", "result", R"("first-line")",
     "What `KSR.http_client` gives to a variable: the \"first-line\" of the body, or all of it, \"full\" (Kamailio's query_result 1 and "
     "0).",
     ChoiceOption{http_results, [](Config& c, std::size_t i) { c.http.first_line_only = i == 0; }}},
    {"http_client", "connections", "64", "Requests that are under way at a time; further ones wait.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.http.options.connections; }, 1, 10'000}},
    {"http_client", "queue_max", "1000", "Most requests that wait for their turn; a further one fails at once.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.http.options.queue_max; }, 1, 1'000'000}},
    {"http_client", "body_max", R"("1MiB")", "Largest body of a response; a larger one is an error.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.http.options.body_max; }, 1ULL << 10, 64ULL << 20}},
    {"http_client", "ca_file", "", "Certificates that servers are verified with, in PEM. Without it those of the system. They always are.",
     PathOption{[](Config& c) -> std::string& { return c.http.options.ca_file; }}},
    {"http_client", "user_agent", R"("perdure")", "What the header User-Agent says; empty: it is not sent.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       c.http.options.user_agent = text;
       return {};
     }}},
    {"http_client", "follow_redirects", "false", "Go where a response of 300 to 399 sends us, five times at most.",
     BooleanOption{[](Config& c) -> bool& { return c.http.options.follow_redirects; }}},

    {"http_connection.*", "url", "", "A server for `KSR.http_client.curl_connect`, and what stands before each path.",
     TextOption{set_http_url}},
    {"http_connection.*", "username", R"("")", "For Basic or Digest authentication; empty: none.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).user = text;
       return {};
     }}},
    {"http_connection.*", "password", R"("")", "For that user.", TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).password = text;
       return {};
     }}},
    {"http_connection.*", "content_type", R"("text/plain")", "Of what is posted without one.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       last_http_connection(c).content_type = text;
       return {};
     }}},
    {"http_connection.*", "timeout", R"("4s")", "How long a callback waits for a response.",
     DurationOption{[](Config& c) -> Duration& { return last_http_connection(c).timeout; }, 10ms, 60s}},
    {"http_connection.*", "ca_file", "", "Certificates that the server is verified with, in place of `http_client.ca_file`.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).ca_file; }}},
    {"http_connection.*", "client_cert", "", "Certificate to show to the server, in PEM.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).client_certificate; }}},
    {"http_connection.*", "client_key", "", "Its key, in PEM.",
     PathOption{[](Config& c) -> std::string& { return last_http_connection(c).client_key; }}},
};

}  // namespace

Result<> begin_http_connection(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.http_connections.size() >= http_connections_max) return fail(fmt::format("more than {} connections", http_connections_max));
  config.http_connections.emplace_back().first = name;
  return {};
}

std::span<const Option> http_options() {
  return table;
}

}  // namespace perdure::app
