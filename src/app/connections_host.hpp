#pragma once
// The connections of the edge process, and what engines need to be told of them.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "base/result.hpp"
#include "edge/connections/connections.hpp"
#include "edge/connections/relay.hpp"
#include "edge/ring_region.hpp"

namespace perdure::app {

class ConnectionsHost {
 public:
  // Opens the listeners of all transports but UDP; without any there are no connections.
  [[nodiscard]] Result<> open(const Config& config);
  // With listeners and rings of the edge before, whose they are until take(). Takes the descriptors.
  [[nodiscard]] Result<> adopt(const Config& config, const std::vector<int>& listeners, const std::vector<int>& rings);
  void start();
  // The engine is about to end: nothing is read any more.
  void end_reading();
  // The engine has ended: what it has sent leaves, if the peers take it within a second.
  void stop();

  // ---- for another edge; without connections nothing happens ----
  // Until resume() nothing is read: the engine is about to change.
  void pause();
  void resume();
  // All that have been accepted or opened. TLS sessions stay here, and what they carry goes there.
  [[nodiscard]] edge::HandedConnections give_away();
  // Connections of another edge, or those that it gives back; peers are served from here on.
  void take(edge::HandedConnections handed);
  // Sessions that another edge uses.
  [[nodiscard]] std::size_t relayed() const { return relay_ ? relay_->count() : 0; }
  // Nothing is left but those.
  void close();
  [[nodiscard]] std::vector<int> listeners() const;

  // Reads certificates and keys again, if there are any, for connections to come. An error changes nothing.
  [[nodiscard]] Result<> reload_tls();
  [[nodiscard]] const edge::ConnectionOptions& options() const { return options_; }

  // For the command line of an engine.
  [[nodiscard]] std::vector<std::string> engine_arguments() const;
  [[nodiscard]] std::vector<int> engine_descriptors() const;  // the rings
  // "tcp:192.0.2.1:5060" for each listen address, with the ports that the kernel chose; empty for UDP.
  [[nodiscard]] const std::vector<std::string>& listen_texts() const { return listen_texts_; }
  // Null: no listen address has connections.
  [[nodiscard]] edge::Connections* connections() { return connections_ ? &*connections_ : nullptr; }
  [[nodiscard]] const edge::RingRegion* rings() const { return rings_.get(); }
  [[nodiscard]] const edge::Connections* connections() const { return connections_ ? &*connections_ : nullptr; }

 private:
  [[nodiscard]] bool is_secure() const;
  void read_options(const Config& config);
  void write_listen_texts();

  edge::ConnectionOptions options_;
  std::unique_ptr<edge::RingRegion> rings_;
  std::optional<edge::Connections> connections_;
  std::unique_ptr<edge::Relay> relay_;
  std::vector<std::string> listen_texts_;
};

}  // namespace perdure::app
