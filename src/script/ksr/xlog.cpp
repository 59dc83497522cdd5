// KSR.xlog: log lines with variables in them, and what all log functions share.
#include "base/case.hpp"
#include "script/ksr/log.hpp"
#include "script/vm.hpp"

namespace perdure::script {

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
  if (log::enabled(level)) log::write(level, text);
}

int log_at_level(Call& call) {
  const auto level = level_from(call.text(0));
  if (!level) return call.fail("\"" + std::string(call.text(0)) + "\" is no log level");
  write_log(*level, call.text(1));
  return 1;
}

namespace {

// The length of the variable at the front of `text`, which starts with '$'.
std::size_t variable_length(std::string_view text) {
  std::size_t at = 1;
  const auto parentheses = [&] {
    int depth = 0;
    for (; at < text.size(); ++at) {
      if (text[at] == '(') ++depth;
      if (text[at] == ')' && --depth == 0) return ++at;
    }
    return at;
  };
  if (at < text.size() && text[at] == '(') return parentheses();
  while (at < text.size() &&
         ((to_lower(text[at]) >= 'a' && to_lower(text[at]) <= 'z') || (text[at] >= '0' && text[at] <= '9') || text[at] == '_'))
    ++at;
  return at < text.size() && text[at] == '(' ? parentheses() : at;
}

// "$ru" becomes its value, "<null>" without one, "$$" a dollar. A line that is not written is only checked, so that a mistake in it shows
// at once and not when somebody turns the level up.
std::optional<std::string> expand(Call& call, std::string_view text, bool written) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      out += '$';
      text.remove_prefix(2);
      continue;
    }
    const std::size_t length = variable_length(text);
    std::string error;
    const auto* variable = call.vm.pseudo_variable(text.substr(0, length), error);
    if (!variable) {
      (void)call.fail(std::move(error));
      return std::nullopt;
    }
    text.remove_prefix(length);
    if (!written) continue;
    const auto value = variable->variable_class->get(call, *variable);
    if (value.kind == VariableValue::Kind::Null)
      out += "<null>";
    else if (value.kind == VariableValue::Kind::Number)
      out += std::to_string(value.number);
    else
      out += value.text;
  }
  return out;
}

int expand_and_write(Call& call, log::Level level, std::string_view text) {
  const auto line = expand(call, text, log::enabled(level));
  if (!line) return -1;
  write_log(level, *line);
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
    {"xlog", "xlog", "string level, string text", nothing, routes::any, "The same at a level: dbg, info, notice, warn, err, crit.", "",
     write_at_level},
};

}  // namespace

std::span<const Function> xlog_functions() {
  return table;
}

}  // namespace perdure::script
