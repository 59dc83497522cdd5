#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/sections.hpp"
#include "sip/uri.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array probing_modes = {"flagged"sv, "all"sv, "inactive"sv, "only-flagged"sv};

Result<> set_ping_method(Config& config, std::string_view text) {
  if (text != "OPTIONS" && text != "INFO" && text != "NOTIFY") return fail("is one of OPTIONS, INFO, NOTIFY");
  config.dispatcher.options.ping_method = text;
  return {};
}

Result<> set_ping_from(Config& config, std::string_view text) {
  if (!text.empty() && !sip::Uri::parse(text)) return fail(fmt::format("\"{}\" is not a URI", text));
  config.dispatcher.options.ping_from = text;
  return {};
}

// "404" or "4xx"
Result<> set_reply_codes(Config& config, const std::vector<std::string>& texts) {
  auto& codes = config.dispatcher.options.ping_reply_codes;
  codes.clear();
  for (const auto& text : texts) {
    std::uint16_t code = 0;
    const bool whole_class = text.size() == 3 && text.ends_with("xx");
    const char* const end = text.data() + (whole_class ? 1 : text.size());
    const auto [parsed, error] = std::from_chars(text.data(), end, code);
    if (whole_class) code = static_cast<std::uint16_t>(code * 100);
    if (error != std::errc{} || parsed != end || text.size() != 3 || code < 200 || code > 699)
      return fail(fmt::format("\"{}\" is not a response code (\"404\") or class (\"4xx\")", text));
    codes.push_back({.first = code, .last = whole_class ? static_cast<std::uint16_t>(code + 99) : code});
  }
  return {};
}

const Option table[] = {
    {"dispatcher", "list", "",
     "The destination list in Kamailio's text format: set, URI, flags, priority, attributes. Read again by `perdure reload`. A URI may "
     "have "
     "a host name: calls go to its servers as `[dns]` says, probes to the first of them, and a name that leads nowhere does not answer.",
     PathOption{[](Config& c) -> std::string& { return c.dispatcher.list; }}},
    {"dispatcher", "probing_interval", R"("0s")", "How often destinations are probed. 0: never.",
     DurationOption{[](Config& c) -> Duration& { return c.dispatcher.options.probing_interval; }, 0s, 24h}},
    {"dispatcher", "probing_mode", R"("flagged")",
     "Which destinations are probed (Kamailio's ds_probing_mode 0 to 3): \"flagged\" those in state probing, until they answer; \"all\"; "
     "\"inactive\" "
     "those inactive and probing; \"only-flagged\" those in state probing, which stays.",
     ChoiceOption{probing_modes,
                  [](Config& c, std::size_t i) { c.dispatcher.options.probing_mode = static_cast<dispatch::ProbingMode>(i); }}},
    {"dispatcher", "probing_threshold", "1", "Failures in a row until a destination is inactive.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dispatcher.options.probing_threshold; }, 1, 1000}},
    {"dispatcher", "inactive_threshold", "1", "Answers in a row until an inactive destination is active again.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.dispatcher.options.inactive_threshold; }, 1, 1000}},
    {"dispatcher", "ping_method", R"("OPTIONS")", "Method of probes.", TextOption{set_ping_method}},
    {"dispatcher", "ping_from", R"("")", "From URI of probes. Empty: sip:dispatcher@ and the address they are sent from.",
     TextOption{set_ping_from}},
    {"dispatcher", "ping_reply_codes", "[]", "Response codes (\"404\") or classes (\"4xx\") that count as alive beside 2xx.",
     TextsOption{set_reply_codes}},
    {"dispatcher", "load_expire", R"("2h")", "How long a call counts as load of its destination (algorithm 10) if nothing ends it.",
     DurationOption{[](Config& c) -> Duration& { return c.dispatcher.options.load_expire; }, 1s, 168h}},
};

}  // namespace

std::span<const Option> dispatcher_options() {
  return table;
}

}  // namespace perdure::app
