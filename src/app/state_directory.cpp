#include "app/state_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace perdure::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* lock_name = "lock";

pid_t read_pid(const std::string& path) {
  pid_t pid = 0;
  std::ifstream(path) >> pid;
  return pid;
}

// Engines carry paths of their state directory as arguments, whatever their program is called.
bool is_engine_of(pid_t pid, const std::string& directory) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
  const std::string arguments{std::istreambuf_iterator<char>(file), {}};
  return arguments.find(directory + "/") != std::string::npos;
}

// Somebody may have named /tmp or a home directory: such a folder is not ours to close.
Result<> close_to_others(const std::string& path) {
  std::error_code error;
  const bool ours = fs::is_empty(path, error) || fs::exists(fs::path(path) / lock_name, error);
  if (!ours)
    return fail(fmt::format("{}: others may enter this folder and it holds other files; name a folder of its own, or chmod 700 it", path));
  if (chmod(path.c_str(), 0700) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

Result<> prepare(const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISDIR(info.st_mode)) return fail(fmt::format("{}: not a folder", path));
  if (info.st_uid != geteuid())
    return fail(fmt::format("{}: belongs to user {}, and this server runs as {}", path, info.st_uid, geteuid()));
  if ((info.st_mode & 077) != 0) return close_to_others(path);
  return {};
}

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path) {
  if (auto prepared = prepare(path); !prepared) return std::unexpected(Error{"state.directory " + prepared.error().message});
  const std::string lock_path = path + "/" + lock_name;
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return fail(fmt::format("state.directory {}: {}", lock_path, std::strerror(errno)));
  StateDirectory directory(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(fmt::format("state.directory {}: {}", lock_path, std::strerror(errno)));
    const pid_t pid = read_pid(path + "/edge.pid");
    return fail(fmt::format("state.directory {}: another server is using it{}", path, pid > 0 ? fmt::format(" (process {})", pid) : ""));
  }
  wait_for_engines(path);
  return directory;
}

Result<> StateDirectory::let_in(gid_t group) const {
  if (group == static_cast<gid_t>(-1)) return {};
  if (chown(path_.c_str(), static_cast<uid_t>(-1), group) != 0 || chmod(path_.c_str(), 0710) != 0)
    return fail(fmt::format("admin.group: {}: {}", path_, std::strerror(errno)));
  return {};
}

// They hold the sockets and the store until then.
void StateDirectory::wait_for_engines(const std::string& directory) {
  for (const char* name : {"engine.pid", "spare.pid"}) {
    const pid_t pid = read_pid(directory + "/" + name);
    if (pid <= 1) continue;
    const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) continue;
    // The number may belong to somebody else by now.
    if (is_engine_of(pid, directory)) {
      pollfd waiting{descriptor, POLLIN, 0};
      (void)poll(&waiting, 1, 2000);
    }
    close(descriptor);
  }
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

std::string StateDirectory::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

std::string control_socket(const std::string& state_directory) {
  return state_directory + "/control.sock";
}

gid_t control_group(const Config::Admin& admin) {
  const group* const found = admin.group.empty() ? nullptr : getgrnam(admin.group.c_str());
  return found ? found->gr_gid : static_cast<gid_t>(-1);
}

}  // namespace perdure::app
