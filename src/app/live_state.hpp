#pragma once
// Where the files are that engines work on, and how they go to disk at an orderly stop and come back.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.hpp"
#include "base/result.hpp"

namespace perdure::app {

// Folders of memory in which a live folder may be made, best first. Tests name their own.
struct LivePlaces {
  std::vector<std::string> memory = {"/dev/shm", "/run"};
  bool must_be_tmpfs = true;
};

// In the folder of the store: the last messages (trace/), and levels of log lines that have been changed since the start.
inline constexpr std::string_view trace_name = "trace.ring", log_levels_name = "log-levels.json";

class LiveState {
 public:
  // Chooses the folder by state.durability, makes it, and brings the files of the last run there: what is in the folder already (a server
  // that was killed), else in another folder where it could have been, else the snapshot. The state directory is locked by the caller.
  [[nodiscard]] static Result<LiveState> prepare(const Config::State& state, const LivePlaces& places = {});

  // What another process of this server has prepared: its folder() and max_bytes().
  [[nodiscard]] static LiveState adopt(const Config::State& state, std::string folder, std::uint64_t max_bytes);

  [[nodiscard]] std::string store() const { return folder_ + "/live.store"; }
  [[nodiscard]] std::string tables() const { return folder_ + "/tables.store"; }
  [[nodiscard]] std::string dispatcher() const { return folder_ + "/dispatcher.state"; }
  [[nodiscard]] std::string gateways() const { return folder_ + "/gateways.state"; }
  [[nodiscard]] std::string trace() const { return folder_ + '/' + std::string(trace_name); }
  [[nodiscard]] std::string log_levels() const { return folder_ + '/' + std::string(log_levels_name); }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  // Size of a new store: state.max_bytes, or less if the folder has less room.
  [[nodiscard]] std::uint64_t max_bytes() const { return max_bytes_; }

  // An engine has attached: the sources of the copies are outdated and go.
  void attached();
  // No engine has attached: the copies go, the sources stay as they were.
  void abandon();
  // The store is closed: writes the snapshot, synced, and empties the folder. Without effect on files that are on disk anyway.
  [[nodiscard]] Result<> save();

 private:
  LiveState() = default;
  [[nodiscard]] Result<> restore(const Config::State& state, const std::vector<std::string>& other_folders);

  std::string folder_, state_directory_;
  std::uint64_t max_bytes_ = 0;
  bool on_disk_ = false, keeps_ = true;
  std::vector<std::string> outdated_;  // files to remove once an engine has attached
  std::vector<std::string> copies_;    // files made by restore()
};

}  // namespace perdure::app
