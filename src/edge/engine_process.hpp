#pragma once
// One engine process as the edge sees it: how it is started, its channel, and its end.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "edge/binary.hpp"
#include "edge/channel.hpp"
#include "edge/manifest.hpp"

namespace perdure::edge {

struct EngineCommand {
  std::shared_ptr<const Binary> binary;
  std::vector<std::string> arguments;
  // Options with descriptors that the engine inherits, under the numbers that they have here: "--sockets" {5, 6} becomes "--sockets 5,6".
  std::vector<std::pair<std::string, std::vector<int>>> descriptors;
};

struct EngineProcess {
  enum class Phase : std::uint8_t { Initialising, Waiting, Attaching, Running, Stopping };

  // Starts one, with "--channel" added. It is killed when this process ends.
  [[nodiscard]] static Result<std::unique_ptr<EngineProcess>> spawn(boost::asio::io_context& context, const EngineCommand& command);
  EngineProcess(boost::asio::io_context& context, pid_t process_id, int pidfd, int channel_descriptor,
                std::shared_ptr<const Binary> program);
  ~EngineProcess() { readable.release(); }  // the channel closes it
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  void kill() const;  // without effect if it is gone
  // Waits for its end: no process is left of it.
  void reap();

  const pid_t pid;
  const std::shared_ptr<const Binary> binary;
  boost::asio::posix::stream_descriptor death;  // readable when it has ended
  Channel channel;
  boost::asio::posix::stream_descriptor readable;
  Phase phase = Phase::Initialising;
  bool hung = false, gone = false /* reaped */, closed = false /* its end of the channel */;
  std::chrono::steady_clock::time_point closed_at{};
  bool by_kill = false;  // it was ended by SIGKILL
  std::string end;       // how it ended, for people
  std::string error;     // why, in its own words or ours
  Result<Manifest> manifest = fail("it has not initialised");
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();  // this phase
};

// Starts an edge that outlives this one, with one descriptor; gives its id.
[[nodiscard]] Result<pid_t> spawn_edge(const Binary& binary, std::vector<std::string> arguments, int descriptor);

}  // namespace perdure::edge
