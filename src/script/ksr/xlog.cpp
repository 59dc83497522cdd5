// KSR.xlog: log lines with variables in them, and what all log functions share.
#include "base/case.hpp"
#include "script/ksr/log.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {
constexpr std::string_view component = "script";
}

std::optional<log::Level> level_from(std::string_view name) {
  constexpr std::pair<std::string_view, log::Level> levels[] = {
      {"dbg", log::Level::Debug},     {"debug", log::Level::Debug},     {"info", log::Level::Info}, {"notice", log::Level::Notice},
      {"warn", log::Level::Warning},  {"warning", log::Level::Warning}, {"err", log::Level::Error}, {"error", log::Level::Error},
      {"crit", log::Level::Critical}, {"alert", log::Level::Critical}};
  if (name.size() > 2 && equals_ignore_case(name.substr(0, 2), "L_")) name.remove_prefix(2);
  for (const auto& [one, level] : levels)
    if (equals_ignore_case(one, name)) return level;
  return std::nullopt;
}

void write_log(log::Level level, std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (log::enabled(level, component)) log::write(level, component, text);
}

int log_at_level(Call& call) {
  const auto level = level_from(call.text(0));
  if (!level) return call.fail("\"" + std::string(call.text(0)) + "\" is no log level");
  write_log(*level, call.text(1));
  return 1;
}

namespace {

// A line that is not written is compiled all the same, so that a mistake in it shows at once and not when somebody turns the level up.
int expand_and_write(Call& call, log::Level level, std::string_view text) {
  std::string error;
  const auto* line = call.vm.text_template(text, error);
  if (!line) return call.fail(std::move(error));
  if (!log::enabled(level, component)) return 1;
  auto& expanded = call.vm.value_buffers.enter().collected;
  expanded.clear();
  line->append_to(call, expanded);
  write_log(level, expanded);
  call.vm.value_buffers.leave();
  return 1;
}

template <log::Level level>
int write(Call& call) {
  return expand_and_write(call, level, call.text(0));
}

int write_at_level(Call& call) {
  const auto level = level_from(call.text(0));
  if (!level) return call.fail("\"" + std::string(call.text(0)) + "\" is no log level");
  return expand_and_write(call, *level, call.text(1));
}

constexpr auto nothing = Returns::Nothing;

const Function table[] = {
    {"xlog", "xdbg", "string text", nothing, routes::any, "Logs at level debug; variables in the text are replaced, `$$` is a dollar.", "",
     write<log::Level::Debug>},
    {"xlog", "xinfo", "string text", nothing, routes::any, "The same at level info.", "", write<log::Level::Info>},
    {"xlog", "xnotice", "string text", nothing, routes::any, "The same at level notice.", "", write<log::Level::Notice>},
    {"xlog", "xwarn", "string text", nothing, routes::any, "The same at level warning.", "", write<log::Level::Warning>},
    {"xlog", "xerr", "string text", nothing, routes::any, "The same at level error.", "", write<log::Level::Error>},
    {"xlog", "xcrit", "string text", nothing, routes::any, "The same at level critical.", "", write<log::Level::Critical>},
    {"xlog", "xalert", "string text", nothing, routes::any, "The same at level critical.", "There is no level alert.",
     write<log::Level::Critical>},
    {"xlog", "xlog", "string level, string text", nothing, routes::any, "The same at a level: dbg, info, notice, warn, err, crit.", "",
     write_at_level},
};

}  // namespace

std::span<const Function> xlog_functions() {
  return table;
}

}  // namespace perdure::script
