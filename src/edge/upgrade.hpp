#pragma once
// An upgrade of the engine: what is asked for, what has happened, and how it ended.
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "edge/binary.hpp"
#include "edge/engine_process.hpp"

namespace perdure::edge {

struct UpgradeRequest {
  std::string binary;        // path of the program
  bool one_way = false;      // also if the program that runs now could not read what the new one writes
  Duration patience = 30s;   // the new engine may initialise so long
  Duration deadline = 24h;   // of the edge: TLS sessions that stay with the old process are closed then
  Duration probation = 10s;  // if it ends sooner than that after it took over, the one before is brought back
};

struct UpgradeReport {
  std::string version, binary;
  Duration pause{};  // of the planned switch
};

// The state of one, in the order of its steps. Supervisor moves it on.
struct Upgrade {
  enum class Step : std::uint8_t {
    Initialising,  // `candidate` starts; engine and spare are as they were
    Ready,         // it has said that it can; waits until there is an engine that runs, and a spare to go back to
    Switching,     // the engine has been told to stop
    Attaching,     // the candidate is the engine, and takes the store
    Probation,     // it serves; the spare is still of the binary before
    GoingBack      // it has failed; the engine of the binary before comes back
  };

  Upgrade(boost::asio::io_context& context, UpgradeRequest asked, std::shared_ptr<const Binary> program,
          std::function<void(Result<UpgradeReport>)> when_done)
      : request(std::move(asked)), binary(std::move(program)), done(std::move(when_done)), probation(context) {}

  const UpgradeRequest request;
  const std::shared_ptr<const Binary> binary;
  const std::function<void(Result<UpgradeReport>)> done;
  boost::asio::steady_timer probation;
  std::unique_ptr<EngineProcess> candidate;  // until it is the engine
  Step step = Step::Initialising;
  std::string error;  // why it goes back
  Duration pause{};
};

}  // namespace perdure::edge
