#pragma once
// What the server says to systemd, or whoever else listens at $NOTIFY_SOCKET, and what it gets from there. Without one nothing happens.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace perdure::app {

// A descriptor that came with the process: from a socket unit, or kept for us when an earlier process of the service died.
struct InheritedDescriptor {
  int descriptor = -1;
  std::string name;  // under which it is in the store, or the socket unit's
};

class ServiceManager {
 public:
  explicit ServiceManager(boost::asio::io_context& context) : watchdog_(context) {}

  // Descriptors by LISTEN_FDS, close-on-exec; the caller closes them. Once, before any thread: it takes the variables away.
  [[nodiscard]] static std::vector<InheritedDescriptor> take_descriptors();

  void ready(const std::string& status);
  void reloading();
  void stopping();
  void status(const std::string& text);
  // Another process of the service is the main one from now on.
  void main_process(pid_t pid);
  // Puts a descriptor into the store, where it outlives this process. FDPOLL=0: an error on it does not remove it.
  void keep(const std::string& name, int descriptor);
  void forget(const std::string& name);
  // Says every half WatchdogSec that the event loop turns.
  void start_watchdog();

 private:
  void feed_watchdog(Duration interval);

  boost::asio::steady_timer watchdog_;
};

}  // namespace perdure::app
