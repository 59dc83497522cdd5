#pragma once
// `perdure drain` and `perdure undrain`.
#include <cstdint>
#include <string>

#include "app/commands.hpp"

namespace perdure::app {

struct DrainOptions {
  std::uint16_t code = 503;
  std::uint32_t retry_after_s = 30;
  bool registrations = false, by_script = false;
  bool wait = false;
  std::string deadline;  // "10m": how long to wait at most; empty: as long as it takes
};

// Says that the server drains; with `wait` returns when no transaction is without its final response, and shows how many there are.
[[nodiscard]] int drain_server(const ClientOptions& options, const DrainOptions& drain);
[[nodiscard]] int undrain_server(const ClientOptions& options);

// "new dialogs get 503 with Retry-After 30"
[[nodiscard]] std::string drain_text(const admin::Json& drain);

}  // namespace perdure::app
