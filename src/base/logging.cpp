#include "base/logging.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace perdure::log {
namespace {

using Components = std::map<std::string, Level, std::less<>>;

constexpr std::array spdlog_levels = {spdlog::level::debug, spdlog::level::info, spdlog::level::info,
                                      spdlog::level::warn,  spdlog::level::err,  spdlog::level::critical};
constexpr std::array<std::string_view, 6> level_names = {"debug", "info", "notice", "warning", "error", "critical"};

std::atomic<Level> threshold{Level::Notice};
std::atomic<bool> any_components{false};
std::atomic<std::shared_ptr<const Components>> components;  // levels of their own
Style style = Style::Plain;
std::uint32_t rate = 0;
thread_local std::string_view current_call;

// Of a place in the code: how many lines of this second have been written, and how many were left out since the last one.
struct Site {
  std::chrono::steady_clock::time_point second{};
  std::uint32_t written = 0;
  std::uint64_t left_out = 0;
};
std::mutex sites_mutex;
std::unordered_map<const void*, Site> sites;

// Peers send any bytes: what is not ASCII is written as if it were Latin-1, so that a line is JSON whatever it says.
void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out.append(1, '\\').append(1, c);
    else if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    else
      out += c;
  }
  out += '"';
}

}  // namespace

std::string_view name(Level level) {
  return level_names[static_cast<std::size_t>(level)];
}

std::optional<Level> level_from(std::string_view name) {
  for (std::size_t i = 0; i < level_names.size(); ++i)
    if (level_names[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void open(std::string_view process, const Options& options) {
  auto logger = std::make_shared<spdlog::logger>(std::string(process), std::make_shared<spdlog::sinks::stderr_sink_mt>());
  style = options.style;
  rate = options.rate;
  logger->set_pattern(style == Style::Plain ? "%Y-%m-%dT%H:%M:%S.%e %n[%P] %l: %v"
                                            : R"({"time":"%Y-%m-%dT%H:%M:%S.%e","process":"%n","pid":%P,%v})");
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  set_levels(options.level, options.components);
}

void set_levels(Level level, Components of_components) {
  threshold.store(level, std::memory_order_relaxed);
  any_components.store(!of_components.empty(), std::memory_order_relaxed);
  components.store(std::make_shared<const Components>(std::move(of_components)));
}

bool enabled(Level level, std::string_view component) {
  if (any_components.load(std::memory_order_relaxed)) {
    const auto own = components.load();
    if (const auto found = own->find(component); found != own->end()) return level >= found->second;
  }
  return level >= threshold.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view component, std::string_view message) {
  std::string text;
  if (style == Style::Json) {
    text = fmt::format(R"("level":"{}","component":"{}","message":)", name(level), component);
    append_json_text(text, message);
    if (!current_call.empty()) {
      text += R"(,"call_id":)";
      append_json_text(text, current_call);
    }
  } else {
    text = message;
    if (!current_call.empty()) text += fmt::format(" (Call-ID {})", current_call);
  }
  spdlog::log(spdlog_levels[static_cast<std::size_t>(level)], "{}", text);
}

void write_limited(Level level, std::string_view component, std::string_view message, const void* site) {
  std::uint64_t left_out = 0;
  if (rate != 0) {
    const auto now = std::chrono::steady_clock::now();
    const std::scoped_lock lock(sites_mutex);
    Site& known = sites[site];
    if (now - known.second >= std::chrono::seconds(1)) {
      known.second = now;
      known.written = 0;
    }
    if (known.written == rate) {
      ++known.left_out;
      return;
    }
    ++known.written;
    left_out = std::exchange(known.left_out, 0);
  }
  if (left_out == 0) return write(level, component, message);
  write(level, component, fmt::format("{} ({} more like this were left out)", message, left_out));
}

CallScope::CallScope(std::string_view call_id) : outer_(std::exchange(current_call, call_id)) {}
CallScope::~CallScope() {
  current_call = outer_;
}

}  // namespace perdure::log
