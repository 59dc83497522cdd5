#include "base/logging.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <string>

namespace perdure::log {
namespace {
constexpr std::array spdlog_levels = {spdlog::level::debug, spdlog::level::info, spdlog::level::info,
                                      spdlog::level::warn,  spdlog::level::err,  spdlog::level::critical};
Level threshold = Level::Notice;
}  // namespace

void open(std::string_view process, Level level) {
  auto logger = std::make_shared<spdlog::logger>(std::string(process), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n[%P] %l: %v");
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  threshold = level;
}

bool enabled(Level level) {
  return level >= threshold;
}
void write(Level level, std::string_view message) {
  spdlog::log(spdlog_levels[static_cast<std::size_t>(level)], "{}", message);
}

}  // namespace perdure::log
