#pragma once
// The state directory of a server: made, checked, and locked against a second instance.
#include <sys/types.h>

#include <string>

#include "app/config.hpp"
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

  // Members of that group may enter, to get to the control socket, but not list. -1: nobody may.
  [[nodiscard]] Result<> let_in(gid_t group) const;

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
// The group whose members may use it, -1: no other than the owner's.
[[nodiscard]] gid_t control_group(const Config::Admin& admin);

}  // namespace perdure::app
