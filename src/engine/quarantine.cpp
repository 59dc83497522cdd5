#include "engine/quarantine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace perdure::engine {
namespace {

std::string time_text(std::int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm parts{};
  (void)gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                     parts.tm_min, parts.tm_sec, wall_us % 1'000'000);
}

Result<> write_file(const std::string& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  while (!bytes.empty()) {
    const auto done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      const int error = errno;
      ::close(file);
      return fail(fmt::format("{}: {}", path, std::strerror(error)));
    }
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  if (::close(file) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

}  // namespace

Result<std::string> write_poison_message(const std::string& folder, std::string_view bytes, std::string_view reason, std::uint64_t sequence,
                                         std::int64_t wall_us) {
  (void)::mkdir(folder.c_str(), 0700);  // that it is there is no error; that it is not shows below
  const std::string base = fmt::format("{}/message-{}-{}", folder, time_text(wall_us), sequence);
  if (auto written = write_file(base + ".sip", bytes); !written) return std::unexpected(written.error());
  if (auto written = write_file(base + ".reason.txt", fmt::format("{}\n", reason)); !written) return std::unexpected(written.error());
  return base + ".sip";
}

}  // namespace perdure::engine
