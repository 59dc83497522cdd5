#pragma once
// The edge that takes over from this one.
#include <sys/types.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "app/server.hpp"

namespace perdure::app {

struct Server::Successor {
  enum class Step : std::uint8_t {
    Starting,    // it loads; nothing has changed here
    Releasing,   // the engine has been told to let go of the store
    TakingOver,  // it has the word
    Probation    // it serves
  };

  Successor(boost::asio::io_context& context, edge::UpgradeRequest asked, std::string path, pid_t process, int pidfd, int socket,
            Done when_done)
      : request(std::move(asked)),
        program(std::move(path)),
        pid(process),
        channel(socket),
        readable(context, dup(socket)),
        death(context, pidfd),
        deadline(context),
        done(std::move(when_done)) {}

  const edge::UpgradeRequest request;
  const std::string program;
  const pid_t pid;
  edge::DescriptorChannel channel;
  boost::asio::posix::stream_descriptor readable, death;
  boost::asio::steady_timer deadline;
  const Done done;
  Step step = Step::Starting;
  std::string version, failure;              // failure: the store comes back as soon as it is released
  edge::Death released = edge::Death::None;  // how the engine here ended
  std::chrono::steady_clock::time_point stopped_at{};
  Duration pause{};
  edge::HandedConnections handed;  // until it serves: nothing has been read from them since
  ConnectionsReceiver given_back;
};

}  // namespace perdure::app
