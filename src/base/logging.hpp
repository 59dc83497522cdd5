#pragma once
// Log lines to standard error. spdlog stays in the .cpp, so that the header is cheap to include.
#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace perdure::log {

enum class Level : std::uint8_t { Debug, Info, Notice, Warning, Error, Critical };
enum class Style : std::uint8_t { Plain, Json };

struct Options {
  Level level = Level::Notice;                           // the least serious lines that are written
  std::map<std::string, Level, std::less<>> components;  // instead of `level`, by component
  Style style = Style::Plain;
  std::uint32_t rate = 0;  // lines a second of each place in the code, 0: all; what is left out is counted in its next line
};

// `process` ("edge", "engine") stands in every line. Call once per process, before any thread.
void open(std::string_view process, const Options& options);
// Any thread, at any time.
void set_levels(Level level, std::map<std::string, Level, std::less<>> components);

[[nodiscard]] std::string_view name(Level level);  // "warning"
[[nodiscard]] std::optional<Level> level_from(std::string_view name);
[[nodiscard]] bool enabled(Level level, std::string_view component);
// A line as it is, without the limit on repeated ones.
void write(Level level, std::string_view component, std::string_view message);

// The call that this thread works on, until the end of a scope: its Call-ID stands in every line. `call_id` outlives the scope.
class CallScope {
 public:
  explicit CallScope(std::string_view call_id);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  std::string_view outer_;
};

// The folder of src/ in which a file lies: "edge" for "/somewhere/src/edge/ring.cpp".
consteval std::string_view component_of(std::string_view file) {
  constexpr std::string_view root = "src/";
  const std::size_t at = file.rfind(root);
  if (at == std::string_view::npos) return "other";
  file.remove_prefix(at + root.size());
  return file.substr(0, file.find('/'));
}

// A format with the place where it stands.
template <class... Args>
struct Format {
  template <class Text>
  consteval Format(const Text& format, std::source_location where = std::source_location::current())  // NOLINT: to be written as a text
      : text(format), component(component_of(where.file_name())) {}

  fmt::format_string<Args...> text;
  std::string_view component;
};

// `site`: the same for all lines of one place.
void write_limited(Level level, std::string_view component, std::string_view message, const void* site);

template <class... Args>
void line(Level level, const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  if (!enabled(level, format.component)) return;
  const fmt::string_view text = format.text;
  write_limited(level, format.component, fmt::vformat(text, fmt::make_format_args(args...)), text.data());
}
template <class... Args>
void debug(const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  line<Args...>(Level::Debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  line<Args...>(Level::Info, format, std::forward<Args>(args)...);
}
template <class... Args>
void notice(const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  line<Args...>(Level::Notice, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  line<Args...>(Level::Warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(const Format<std::type_identity_t<Args>...>& format, Args&&... args) {
  line<Args...>(Level::Error, format, std::forward<Args>(args)...);
}

}  // namespace perdure::log
