#pragma once
// Log lines to standard error. spdlog stays in the .cpp, so that the header is cheap to include.
#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace perdure::log {

enum class Level : std::uint8_t { Debug, Info, Notice, Warning, Error, Critical };

// `process` ("edge", "engine") stands in every line. Call once per process, before any thread.
void open(std::string_view process, Level level);
[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view message);

template <class... Args>
void line(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::Debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::Info, format, std::forward<Args>(args)...);
}
template <class... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::Notice, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::Warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  line(Level::Error, format, std::forward<Args>(args)...);
}

}  // namespace perdure::log
