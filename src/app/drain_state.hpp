#pragma once
// Whether the server drains: what `perdure drain` has said, kept in the state directory until `perdure undrain`, over every restart.
#include <cstdint>
#include <optional>
#include <string>

#include "admin/json_rpc.hpp"
#include "base/result.hpp"
#include "proxy/drain.hpp"

namespace perdure::app {

struct DrainState {
  proxy::Drain drain;
  std::int64_t since_wall_us = 0;

  [[nodiscard]] admin::Json json() const;  // of the file and of `status`
};

// The parameters of the RPC method `drain`; an error says what is wrong with them.
[[nodiscard]] Result<proxy::Drain> drain_from(const admin::Json& params);

// Not draining if there is no file. An error: there is one that cannot be read.
[[nodiscard]] Result<DrainState> load_drain(const std::string& state_directory);
// Synced when it returns. Not draining: the file goes.
[[nodiscard]] Result<> save_drain(const std::string& state_directory, const DrainState& state);

}  // namespace perdure::app
