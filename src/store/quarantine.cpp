#include "store/quarantine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

namespace perdure::store {
namespace {

std::string time_text(std::int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                     parts.tm_sec);
}

void write_file(const std::string& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return;
  while (!bytes.empty()) {
    const auto done = ::write(file, bytes.data(), bytes.size());
    if (done <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  ::close(file);
}

}  // namespace

void Quarantine::write(const LostRecord& record, std::string_view why, std::int64_t wall_us) {
  if (folder_.empty() || written_ >= files_max) return;
  ++written_;
  ::mkdir(folder_.c_str(), 0700);
  const std::string path = fmt::format("{}/record-{}-{}-{}", folder_, static_cast<int>(record.kind), record.id.value, time_text(wall_us));
  std::string text = fmt::format("perdure record 1\nkind {} layout {} id {}\nheader {}\n", static_cast<int>(record.kind), record.layout,
                                 record.id.value, record.header.size());
  text.append(record.header).append("\n");
  for (std::size_t i = 0; i < record.blob_count; ++i) {
    const auto& blob = record.blobs[i];
    text += fmt::format("blob {} {}\n", blob.ref.unit, blob.bytes.size());
    text.append(blob.bytes).append("\n");
  }
  write_file(path, text);
  write_file(path + ".reason.txt", fmt::format("{}\n", why));
}

}  // namespace perdure::store
