#include "app/program.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace perdure::app {
namespace {

namespace fs = std::filesystem;

bool is_this_program(const fs::path& path) {
  std::error_code error;
  return fs::equivalent(path, "/proc/self/exe", error) && !error;
}

}  // namespace

std::string program_path(const std::string& argv0) {
  std::error_code error;
  if (argv0.find('/') != std::string::npos) {
    if (const auto path = fs::absolute(argv0, error).lexically_normal(); is_this_program(path)) return path.string();
  } else if (const char* const folders = std::getenv("PATH")) {
    for (std::string_view rest = folders; !rest.empty();) {
      const auto end = std::min(rest.find(':'), rest.size());
      const auto path = fs::path(rest.substr(0, end)) / argv0;
      if (path.is_absolute() && is_this_program(path)) return path.string();
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  std::string path = fs::read_symlink("/proc/self/exe", error).string();
  constexpr std::string_view deleted = " (deleted)";
  if (path.ends_with(deleted)) path.resize(path.size() - deleted.size());
  return path;
}

Result<int> share_text(const char* name, const std::string& text) {
  const int descriptor = memfd_create(name, MFD_CLOEXEC);
  if (descriptor >= 0 && write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size())) return descriptor;
  const int error = errno;
  if (descriptor >= 0) close(descriptor);
  return fail(fmt::format("{}: {}", name, std::strerror(error)));
}

Result<std::string> read_whole(int descriptor) {
  struct stat info {};
  if (fstat(descriptor, &info) != 0) return fail(fmt::format("a file in memory: {}", std::strerror(errno)));
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  if (pread(descriptor, text.data(), text.size(), 0) != info.st_size) return fail("a file in memory cannot be read");
  return text;
}

}  // namespace perdure::app
