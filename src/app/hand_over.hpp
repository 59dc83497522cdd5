#pragma once
// What one edge gives to the next, and how it goes over their channel: docs/decisions/0034-an-edge-hands-over.md tells the whole exchange.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "edge/descriptor_channel.hpp"

namespace perdure::app {

struct HandOver {
  std::string config_path, live_folder;
  std::uint64_t live_bytes = 0, engine_starts = 0;
  std::int64_t started_us = 0;  // CLOCK_MONOTONIC
  std::uint32_t workers = 0;
  // Of the state directory's lock, the control socket, the configuration's text, the receive region, and the UDP sockets.
  int lock = -1, control = -1, configuration = -1, region = -1;
  std::vector<int> sockets;
};

// Messages of the exchange beside those that carry the above.
inline constexpr std::string_view word_ready = "ready", word_go = "go", word_serving = "serving", word_failed = "failed",
                                  word_leaving = "leaving";

// Queues all of it. False: the other end is gone.
[[nodiscard]] bool send_hand_over(edge::DescriptorChannel& channel, const HandOver& given);
// Waits for all of it. The caller owns the descriptors; on an error none is left.
[[nodiscard]] Result<HandOver> receive_hand_over(edge::DescriptorChannel& channel, Duration timeout);

}  // namespace perdure::app
