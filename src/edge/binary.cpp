#include "edge/binary.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace perdure::edge {

Binary::Binary(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)), exec_path_(fmt::format("/proc/self/fd/{}", descriptor)) {}

Binary::~Binary() {
  close(descriptor_);
}

Result<std::shared_ptr<const Binary>> Binary::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  std::shared_ptr<const Binary> binary(new Binary(descriptor, path));
  struct stat info {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return fail(fmt::format("{}: not a program", path));
  if (access(binary->exec_path_.c_str(), X_OK) != 0) return fail(fmt::format("{}: may not be executed: {}", path, std::strerror(errno)));
  return binary;
}

Result<std::shared_ptr<const Binary>> Binary::own(std::string path) {
  const int descriptor = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail(fmt::format("/proc/self/exe: {}", std::strerror(errno)));
  return std::shared_ptr<const Binary>(new Binary(descriptor, std::move(path)));
}

}  // namespace perdure::edge
