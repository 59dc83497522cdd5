#pragma once
// What one edge gives to the next, and how it goes over their channel: docs/decisions/0034-an-edge-hands-over.md tells the whole exchange.
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "edge/connections/handed_connections.hpp"
#include "edge/descriptor_channel.hpp"

namespace perdure::app {

struct HandOver {
  std::string config_path, live_folder;
  std::uint64_t live_bytes = 0, engine_starts = 0;
  std::int64_t started_us = 0;  // CLOCK_MONOTONIC
  std::uint32_t workers = 0;
  std::uint32_t connections_layout = edge::handed_layout;
  // Of the state directory's lock, the control socket, the configuration's text, the receive region, the UDP sockets, the listeners of
  // connections and the rings.
  int lock = -1, control = -1, configuration = -1, region = -1;
  std::vector<int> sockets, listeners, rings;
  int metrics = -1;  // what engines count in; -1: not handed over
};

// Messages of the exchange beside those that carry the above.
inline constexpr std::string_view word_ready = "ready", word_go = "go", word_serving = "serving", word_failed = "failed",
                                  word_leaving = "leaving";

// Queues all of it. False: the other end is gone.
[[nodiscard]] bool send_hand_over(edge::DescriptorChannel& channel, const HandOver& given);
// Waits for all of it. The caller owns the descriptors; on an error none is left.
[[nodiscard]] Result<HandOver> receive_hand_over(edge::DescriptorChannel& channel, Duration timeout);

// Connections follow when the engine has let go. Returns when all of it has left; false: the other end does not take it.
[[nodiscard]] bool send_connections(edge::DescriptorChannel& channel, const edge::HandedConnections& given);

// Puts together what send_connections() has sent.
class ConnectionsReceiver {
 public:
  ConnectionsReceiver() = default;
  ConnectionsReceiver(const ConnectionsReceiver&) = delete;
  ConnectionsReceiver& operator=(const ConnectionsReceiver&) = delete;
  ~ConnectionsReceiver();

  // False: it is none of those messages, and nothing has been done with it.
  [[nodiscard]] bool take(const edge::DescriptorChannel::Message& message);
  // All that has come; none if nothing has.
  [[nodiscard]] Result<edge::HandedConnections> connections();

 private:
  int bytes_ = -1;
  std::vector<int> descriptors_;
};

}  // namespace perdure::app
