#pragma once
// The hub in a thread of its own, so that handshakes and hostile peers do not delay the supervisor.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "edge/connections/hub.hpp"

namespace perdure::edge {

// As many descriptors as the system lets this process have: every connection needs one.
void raise_descriptor_limit();

class Connections {
 public:
  // `rings` outlives it.
  Connections(ConnectionOptions options, RingRegion& rings, std::uint32_t generation);
  ~Connections();  // stop({})
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Opens the listeners.
  [[nodiscard]] Result<> open() { return hub_.open(); }
  [[nodiscard]] Result<> adopt(const std::vector<int>& listeners) { return hub_.adopt(listeners); }
  [[nodiscard]] std::vector<int> listener_descriptors() const { return hub_.listener_descriptors(); }
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return hub_.addresses(); }
  // From here on peers are served.
  void start();
  // Nothing is read any more; what is queued leaves if the peers take it within `longest`. Then all connections are closed.
  void stop(Duration longest);

  // As the hub's: nothing is read from here on. The thread ends with give_away(), and take() starts it.
  void pause() {
    post([](Hub& hub) { hub.pause(); });
  }
  void resume() {
    post([](Hub& hub) { hub.resume(); });
  }
  [[nodiscard]] HandedConnections give_away(Relay& relay);
  void take(HandedConnections handed);

  [[nodiscard]] const ConnectionCounters& counters() const { return hub_.counters(); }
  [[nodiscard]] const metrics::Histogram& ring_outbound() const { return hub_.ring_outbound(); }
  // Runs `f` in the thread of the connections, soon; right away if there is none.
  void post(std::function<void(Hub&)> f);

 private:
  void run();
  void run_posted();

  Hub hub_;
  std::mutex mutex_;
  std::vector<std::function<void(Hub&)>> posted_;
  std::atomic<bool> has_posted_{false}, ending_{false}, leaving_{false};
  std::chrono::steady_clock::time_point end_at_{};
  std::thread thread_;
};

}  // namespace perdure::edge
