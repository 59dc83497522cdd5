#include "store/mapping.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace perdure::store {

bool Mapping::provide(std::uint64_t offset, std::uint64_t size) const {
  if (descriptor_ < 0) return true;
  int failed = 0;
  do failed = fallocate(descriptor_, 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0 ? 0 : errno;
  while (failed == EINTR);
  // A file system that cannot say is taken as one with room.
  if (failed == ENOSPC || failed == EDQUOT || failed == EIO) return false;
  if (huge_pages_) huge_pages_->used(offset);
  return true;
}

void Mapping::write_observed(std::uint64_t offset, const void* bytes, std::size_t size) {
  for (std::size_t done = 0; done < size; done += 8) {
    const std::size_t piece = std::min<std::size_t>(size - done, 8);
    observer_->before_write(offset + done, piece);
    std::memcpy(base_ + offset + done, static_cast<const char*>(bytes) + done, piece);
  }
}

}  // namespace perdure::store
