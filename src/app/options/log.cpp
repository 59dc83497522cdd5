#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array formats = {"plain"sv, "json"sv};

// The folders of src/ that say something.
constexpr std::array components = {"app"sv,    "base"sv,   "dialplan"sv, "dispatch"sv, "edge"sv,        "engine"sv,
                                   "htable"sv, "lcr"sv,    "locate"sv,   "net"sv,      "permissions"sv, "proxy"sv,
                                   "script"sv, "shared"sv, "store"sv,    "trace"sv,    "admin"sv,       "metrics"sv};

// "script=debug"
Result<> set_components(Config& config, const std::vector<std::string>& texts) {
  config.log.components.clear();
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto level = equals == text.npos ? std::nullopt : log::level_from(text.substr(equals + 1));
    if (!is_log_component(name) || !level)
      return fail(fmt::format("\"{}\" is not component=level; components are {}", text, fmt::join(components, ", ")));
    config.log.components[std::string(name)] = *level;
  }
  return {};
}

constexpr std::array levels = {"debug"sv, "info"sv, "notice"sv, "warning"sv, "error"sv, "critical"sv};

const Option table[] = {
    {"log", "level", R"("notice")", "Least serious lines that are written to standard error.",
     ChoiceOption{levels, [](Config& c, std::size_t i) { c.log.level = static_cast<log::Level>(i); }}},
    {"log", "components", "[]",
     "Levels of single components instead of `level`, such as [\"script=debug\", \"dispatch=info\"]; a component is a folder of the "
     "sources. "
     "`perdure rpc log.level` changes both while the server runs.",
     TextsOption{set_components}},
    {"log", "format", R"("plain")",
     "How lines look: \"plain\" for people; \"json\" with time, process, pid, level, component, message and, where there is one, call_id.",
     ChoiceOption{formats, [](Config& c, std::size_t i) { c.log.style = static_cast<log::Style>(i); }}},
    {"log", "rate", "50",
     "Lines a second of each kind, so that a storm of errors fills no disk; the next line after it says how many were left out. What "
     "scripts "
     "log is not limited. 0: no limit.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.log.rate; }, 0, 1'000'000}},
};

}  // namespace

std::span<const Option> log_options() {
  return table;
}

bool is_log_component(std::string_view name) {
  return std::ranges::find(components, name) != components.end();
}

}  // namespace perdure::app
