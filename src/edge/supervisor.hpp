#pragma once
// Keeps one engine running and one in waiting: opens the sockets, starts the processes, watches them, and lets the spare attach when the
// engine is gone.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "edge/channel.hpp"
#include "edge/shared_region.hpp"

namespace perdure::edge {

struct SupervisorOptions {
  std::string binary;                         // of the engine
  std::vector<std::string> engine_arguments;  // before --channel, --shared and --sockets
  std::vector<SocketAddress> udp;             // to listen on; port 0: the kernel chooses
  std::uint32_t workers = 1;
  std::uint64_t receive_buffer_bytes = 8 << 20;  // per socket
  Duration watchdog = 2s;                        // a worker that does not tick for so long is dead
  Duration attach_deadline = 60s;                // initialising and attaching may take so long
  std::string pid_directory;                     // for edge.pid, engine.pid, spare.pid; empty: none are written
};

// What the edge knows of its engines, for `perdure status`.
struct SupervisorStatus {
  pid_t edge = 0, engine = 0, spare = 0;  // 0: none
  bool serving = false;                   // an engine is attached
  std::uint64_t engine_starts = 0;        // engines that have attached
  Death last_death = Death::None;         // how the engine before this one ended
  Duration last_pause{};                  // from its end until the next had attached
  std::string last_attach;                // the engine's own report, json
  std::string spare_error;                // why there is no spare
};

class Supervisor {
 public:
  // Runs on `context` and in its thread.
  Supervisor(boost::asio::io_context& context, SupervisorOptions options);
  ~Supervisor();  // kills what is left
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Opens sockets and brings the first engine up; returns when datagrams are being read. On an error nothing is left running.
  [[nodiscard]] Result<> start();
  // The addresses listened on, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return addresses_; }
  // Asks the engine; an engine switch in between only delays the answer. Fails after 5 s.
  void call_engine(std::string json, std::function<void(Result<std::string>)> done);
  // The engine loads script and lists anew; on success the spare is replaced by one that has them, too.
  void reload(std::string_view request, std::function<void(Result<>)> done);
  // Orderly end: the engine finishes its batch and closes the store. `stopped` runs when it is gone; true if it had closed the store.
  void stop(std::function<void(bool orderly)> stopped);
  [[nodiscard]] SupervisorStatus status() const;

 private:
  enum class Phase : std::uint8_t { Initialising, Waiting, Attaching, Running, Stopping };
  struct Process;
  struct Call {
    std::string json;
    std::function<void(Result<std::string>)> done;
    std::chrono::steady_clock::time_point deadline;
  };

  [[nodiscard]] Result<> open_sockets();
  [[nodiscard]] Result<std::unique_ptr<Process>> spawn();
  void watch(Process& process);
  void watch_channel(Process& process);
  void on_message(Process& process, Channel::Received received);
  void on_death(Process& process);
  void attach(Process& process);
  void on_attached(Process& process, std::string report);
  void need_engine();
  void start_spare(Duration delay);
  void promote();
  void check();  // watchdog and deadlines, every so often
  void arm_check();
  void finish_stop();
  void fail_calls(const std::string& why);
  void write_pid(const char* file, pid_t pid) const;

  boost::asio::io_context& context_;
  const SupervisorOptions options_;
  std::vector<SocketAddress> addresses_;
  std::vector<int> sockets_;
  std::unique_ptr<SharedRegion> region_;
  std::unique_ptr<Process> engine_, spare_;
  std::vector<std::unique_ptr<Process>> leaving_;  // killed or ended, not yet reaped
  boost::asio::steady_timer check_timer_, spare_timer_, promote_timer_, stop_timer_;
  bool engine_wanted_ = false;  // no engine, and the next one that is ready attaches
  bool starting_ = false;       // inside start()
  bool spare_pending_ = false;  // spare_timer_ runs
  std::string start_error_;
  Death death_ = Death::None;
  std::chrono::steady_clock::time_point death_at_{}, attached_at_{};
  std::uint32_t quick_deaths_ = 0, spare_failures_ = 0;
  std::uint64_t next_call_ = 1;
  std::map<std::uint64_t, Call> calls_;
  std::function<void(Result<>)> reloaded_;
  std::function<void(bool)> stopped_;
  bool stopped_orderly_ = false;
  SupervisorStatus status_;
};

}  // namespace perdure::edge
