#pragma once
// The engine process: `perdure engine`, started by the edge with inherited descriptors.
#include <cstdint>
#include <string>
#include <vector>

namespace perdure::app {

struct EngineArguments {
  std::string config_path;  // stands in errors, and paths in the text are relative to its folder; empty: the embedded configuration
  int configuration = -1;   // the text as the edge has read it: edge and engines never see different files
  std::string store;        // the live file
  std::uint64_t store_bytes = 0;
  std::string tables;  // the live file of persistent hash tables
  std::string dispatcher_state;
  std::string quarantine;
  int channel = -1, shared = -1, metrics = -1;
  std::vector<int> sockets;            // UDP
  std::vector<int> rings;              // descriptors of edge::RingRegion; empty: there are no connections
  std::vector<std::string> listening;  // "tcp:192.0.2.1:5060": the listen addresses of connections, in their order
};

// Initialises, says so, and serves when it is told to. Returns the exit code.
[[nodiscard]] int engine_main(const EngineArguments& arguments);

}  // namespace perdure::app
