#include "proxy/outputs.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace perdure::proxy {

std::span<char> Outputs::reserve(std::size_t size) {
  while (chunk_ < chunks_.size() && chunks_[chunk_].size - used_ < size) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const std::size_t bytes = std::max(size, chunk_bytes);
    chunks_.push_back({std::make_unique<char[]>(bytes), bytes});
  }
  return {chunks_[chunk_].data.get() + used_, chunks_[chunk_].size - used_};
}

std::string_view Outputs::keep(std::size_t written) {
  PERDURE_ASSERT(chunk_ < chunks_.size() && written <= chunks_[chunk_].size - used_);
  const std::string_view kept(chunks_[chunk_].data.get() + used_, written);
  used_ += written;
  return kept;
}

std::string_view Outputs::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto room = reserve(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  return keep(bytes.size());
}

void Outputs::clear() {
  sends_.clear();
  account_lines_.clear();
  aliases_.clear();
  chunk_ = used_ = 0;
}

}  // namespace perdure::proxy
