// A store as a file to keep: for a planned reboot, or for another host.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "store/store.hpp"
#include "store/superblock.hpp"

namespace perdure::store {
namespace {

class File {
 public:
  File(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// False with errno; a file that ends early is EIO.
bool copy_bytes(int in, int out, std::uint64_t offset, std::uint64_t size) {
  std::vector<char> buffer(std::min<std::uint64_t>(size, 1 << 20));
  while (size > 0) {
    const auto got = pread(in, buffer.data(), std::min<std::uint64_t>(size, buffer.size()), static_cast<off_t>(offset));
    if (got == 0) errno = EIO;
    if (got <= 0 || pwrite(out, buffer.data(), static_cast<std::size_t>(got), static_cast<off_t>(offset)) != got) return false;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  return true;
}

bool copy_extents(int in, int out, const Superblock& block) {
  std::vector<std::uint64_t> table(block.extent_count);
  const std::size_t table_bytes = table.size() * sizeof table[0];
  if (!copy_bytes(in, out, 0, superblock_bytes + table_bytes)) return false;
  if (pread(in, table.data(), table_bytes, superblock_bytes) != static_cast<ssize_t>(table_bytes)) return false;
  const std::uint64_t data = data_offset_of(block.extent_count, block.extent_bytes);
  for (std::uint32_t i = 0; i < block.extent_count; ++i)
    if (table[i] != 0 && !copy_bytes(in, out, data + std::uint64_t{i} * block.extent_bytes, block.extent_bytes)) return false;
  return true;
}

bool sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const File file(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY);
  return file.get() >= 0 && fsync(file.get()) == 0;
}

}  // namespace

Result<> copy_store(const std::string& from, const std::string& to) {
  const auto failed = [](const std::string& path) { return fail(fmt::format("{}: {}", path, std::strerror(errno))); };
  const File in(from, O_RDONLY);
  if (in.get() < 0) return failed(from);
  if (flock(in.get(), LOCK_SH | LOCK_NB) != 0) return fail(fmt::format("{}: another process has this store open", from));
  struct stat info {};
  if (fstat(in.get(), &info) != 0) return failed(from);
  Superblock block;
  if (pread(in.get(), &block, sizeof block, 0) != sizeof block)
    return fail(fmt::format("{}: not a store: only {} bytes", from, info.st_size));
  if (auto checked = check_superblock(block, static_cast<std::uint64_t>(info.st_size)); !checked)
    return fail(fmt::format("{}: {}", from, checked.error().message));

  const std::string part = to + ".part";
  const File out(part, O_RDWR | O_CREAT | O_TRUNC);
  if (out.get() < 0) return failed(part);
  block.boot_id = 0;
  const bool done = ftruncate(out.get(), info.st_size) == 0 && copy_extents(in.get(), out.get(), block) &&
                    pwrite(out.get(), &block, sizeof block, 0) == sizeof block && fsync(out.get()) == 0 &&
                    rename(part.c_str(), to.c_str()) == 0;
  if (!done) {
    const int error = errno;
    ::unlink(part.c_str());
    errno = error;
    return failed(part);
  }
  return sync_folder_of(to) ? Result<>{} : failed(to);
}

}  // namespace perdure::store
