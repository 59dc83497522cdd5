#pragma once
// Keeps one engine running and one in waiting: holds what they share, starts the processes, watches them, and lets the spare attach when
// the engine is gone.
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "edge/binary.hpp"
#include "edge/channel.hpp"
#include "edge/engine_calls.hpp"
#include "edge/engine_process.hpp"
#include "edge/shared_region.hpp"
#include "edge/udp_sockets.hpp"
#include "edge/upgrade.hpp"

namespace perdure::edge {

struct SupervisorOptions {
  std::shared_ptr<const Binary> binary;                                      // of the engine
  std::vector<std::string> engine_arguments;                                 // before --shared, --sockets and --channel
  std::vector<std::pair<std::string, std::vector<int>>> engine_descriptors;  // beside --shared and --sockets; not owned
  std::uint64_t engine_starts = 0;                                           // of the edge before
  Duration watchdog = 2s;                                                    // a worker that does not tick for so long is dead
  Duration attach_deadline = 60s;                                            // initialising and attaching may take so long
  std::string pid_directory;                                                 // for edge.pid, engine.pid, spare.pid; empty: none are written
};

struct ProcessInfo {
  pid_t pid = 0;  // 0: none
  std::string binary, version;
};

// What the edge knows of its engines, for `perdure status`.
struct SupervisorStatus {
  pid_t edge = 0;
  ProcessInfo engine, spare;
  bool serving = false;             // an engine is attached
  std::uint64_t engine_starts = 0;  // engines that have attached
  Death last_death = Death::None;   // how the engine before this one ended
  Duration last_pause{};            // from its end, or the word to stop, until the next had attached
  Duration longest_pause{};         // of all of this edge
  Duration all_pauses{};            // their sum
  std::string last_attach;          // the engine's own report, json
  std::string spare_error;          // why there is no spare
  bool upgrading = false;
};

class Supervisor {
 public:
  // Runs on `context` and in its thread.
  Supervisor(boost::asio::io_context& context, SupervisorOptions options, UdpSockets sockets, std::unique_ptr<SharedRegion> region);
  ~Supervisor();  // kills what is left
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Loads the first engine without giving it the store. start() can be the first call as well.
  [[nodiscard]] Result<> initialise();
  // Brings the first engine up (`before`: how the one before it ended, if the region is from then); returns when datagrams are being read.
  // On an error nothing is left running.
  [[nodiscard]] Result<> start(Death before = Death::None);
  [[nodiscard]] const UdpSockets& sockets() const { return sockets_; }
  [[nodiscard]] const SharedRegion& region() const { return *region_; }
  // Asks the engine; an engine switch in between only delays the answer. Fails after 5 s.
  void call_engine(std::string json, std::function<void(Result<std::string>)> done);
  // The engine loads script and lists anew; on success the spare is replaced by one that has them, too.
  void reload(std::string_view request, std::function<void(Result<>)> done);
  // Replaces the engine by one of another program. What that one cannot do leaves all as it was, or brings the one before back; the error
  // says why. `done` runs when the new one has passed its probation.
  void upgrade(const UpgradeRequest& request, std::function<void(Result<UpgradeReport>)> done);
  // What has happened in the upgrade that runs, or in the last one; a line each.
  [[nodiscard]] const std::vector<std::string>& upgrade_steps() const { return upgrade_steps_; }
  void upgrade_step(std::string text);

  // Called with the reason when an engine that served has died.
  void on_engine_death(std::function<void(const std::string&)> told) { engine_death_ = std::move(told); }

  // ---- for another edge that takes over ----
  // What the engine says of itself that runs, or that has been loaded.
  [[nodiscard]] Result<Manifest> manifest() const;
  // Whether an engine with this manifest may have the store after the one that runs.
  [[nodiscard]] Result<> may_follow(const Manifest& next, bool one_way) const;
  // Neither reloads nor upgrades of the engine from here on, or again.
  [[nodiscard]] Result<> reserve();
  void unreserve() {
    reserved_ = false;
    settled_ = nullptr;
  }
  // Runs `settled` as soon as there is an engine that serves and a spare that has loaded.
  void when_settled(std::function<void()> settled);
  // The engine lets go of the store, and none is started in its place, but the spare stays. `released` gets how the engine ended.
  void release(std::function<void(Death)> released);
  [[nodiscard]] bool is_away() const { return away_; }
  // No engine is started any more: the store is somebody else's.
  void give_up() { away_ = true; }
  // The spare attaches after all; `serving` runs when it has. `before`: how the last engine ended.
  void take_back(Death before, std::function<void()> serving);

  // Orderly end: the engine finishes its batch and closes the store. `stopped` runs when it is gone; true if it had closed the store.
  void stop(std::function<void(bool orderly)> stopped);
  [[nodiscard]] SupervisorStatus status() const;

 private:
  using Phase = EngineProcess::Phase;

  // Runs the context until it is `so`, an error has come up, or it took too long.
  [[nodiscard]] Result<> run_until(const std::function<bool()>& so);
  void stop_engine();
  void check();  // watchdog and deadlines, every so often
  void arm_check();
  void finish_stop();
  void write_pid(const char* file, pid_t pid) const;

  // supervisor_succession.cpp
  [[nodiscard]] Result<std::unique_ptr<EngineProcess>> spawn(const std::shared_ptr<const Binary>& binary);
  void watch(EngineProcess& process);
  void watch_channel(EngineProcess& process);
  void on_message(EngineProcess& process, Channel::Received received);
  void on_death(EngineProcess& process);
  [[nodiscard]] std::unique_ptr<EngineProcess>* owner_of(const EngineProcess& process);
  void engine_died(const EngineProcess& process);
  void spare_died(const EngineProcess& process);
  void on_stopped(EngineProcess& process);
  void engine_left(Death death, std::chrono::steady_clock::time_point at);
  void attach(EngineProcess& process);
  void on_attached(EngineProcess& process, std::string report);
  void need_engine();
  void start_spare(Duration delay);
  void promote(std::unique_ptr<EngineProcess>& next);

  // supervisor_upgrade.cpp
  void gone_away();
  void candidate_initialised();
  void candidate_died(const EngineProcess& process);
  void check_candidate(std::chrono::steady_clock::time_point now);
  void try_switch();
  void candidate_promoted();
  void upgrade_attached();
  void upgraded_engine_died(const EngineProcess& process);
  void probation_passed();
  void end_upgrade(Result<UpgradeReport> result);

  boost::asio::io_context& context_;
  const SupervisorOptions options_;
  UdpSockets sockets_;
  std::unique_ptr<SharedRegion> region_;
  std::shared_ptr<const Binary> binary_;  // of new engines
  std::unique_ptr<EngineProcess> engine_, spare_;
  std::vector<std::unique_ptr<EngineProcess>> leaving_;  // killed or ended, not yet reaped
  boost::asio::steady_timer check_timer_, spare_timer_, promote_timer_, stop_timer_;
  bool engine_wanted_ = false;  // no engine, and the next one that is ready attaches
  bool starting_ = false;       // inside start()
  bool spare_pending_ = false;  // spare_timer_ runs
  std::string start_error_;
  Death death_ = Death::None;
  std::chrono::steady_clock::time_point death_at_{}, attached_at_{}, stop_sent_at_{};
  std::uint32_t quick_deaths_ = 0, spare_failures_ = 0;
  EngineCalls calls_;
  std::function<void(Result<>)> reloaded_;
  std::unique_ptr<Upgrade> upgrade_;
  std::vector<std::string> upgrade_steps_;
  bool reserved_ = false, away_ = false /* released */;
  std::function<void(Death)> released_;
  std::function<void()> taken_back_, settled_;
  std::function<void(const std::string&)> engine_death_;
  std::function<void(bool)> stopped_;
  bool stopped_orderly_ = false;
  SupervisorStatus status_;
};

}  // namespace perdure::edge
