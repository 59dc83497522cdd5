#include "app/account_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/logging.hpp"

namespace perdure::app {

Result<std::unique_ptr<AccountLog>> AccountLog::open(const std::string& path) {
  const int descriptor = path.empty() ? STDERR_FILENO : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor < 0) return fail(fmt::format("acc.log_file {}: {}", path, std::strerror(errno)));
  return std::unique_ptr<AccountLog>(new AccountLog(path, descriptor));
}

AccountLog::~AccountLog() {
  if (descriptor_ != STDERR_FILENO) close(descriptor_);
}

void AccountLog::write(std::string_view line) {
  std::string text(line);
  text += '\n';
  // One call for a line: with O_APPEND lines of several threads and processes do not mix.
  const auto written = ::write(descriptor_, text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return;
  // What the disk does not take must not be lost without a trace.
  log::error("accounting: {} cannot be written: {}: {}", path_.empty() ? "standard error" : path_,
             written < 0 ? std::strerror(errno) : "too short", line);
}

}  // namespace perdure::app
