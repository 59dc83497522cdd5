#pragma once
// The state directory of a server: made, checked, and locked against a second instance.
#include <string>

#include "base/result.hpp"

namespace perdure::app {

class StateDirectory {
 public:
  // Makes the folder if it is missing, readable by the owner only. Refuses one that another server uses, that belongs to another user, or
  // that others may enter and that holds files which are not ours.
  [[nodiscard]] static Result<StateDirectory> open(const std::string& path);
  // The folder of another process that hands over, with its lock.
  [[nodiscard]] static StateDirectory adopt(const std::string& path, int lock) { return {path, lock}; }
  // Engines of an edge that was killed end a moment after it; waits for them, a bounded time.
  static void wait_for_engines(const std::string& path);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();  // unlocks, unless another process holds the lock, too

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int lock() const { return lock_; }
  [[nodiscard]] std::string file(std::string_view name) const;

 private:
  StateDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

// The socket of the server that uses a state directory.
[[nodiscard]] std::string control_socket(const std::string& state_directory);

}  // namespace perdure::app
