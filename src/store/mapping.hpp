#pragma once
// The mapped file. Every write goes through here, so that a test can cut the process off after each one.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "store/huge_pages.hpp"

namespace perdure::store {

// Called before each write of at most 8 bytes, in program order. Tests only.
class WriteObserver {
 public:
  virtual ~WriteObserver() = default;
  virtual void before_write(std::uint64_t offset, std::size_t size) = 0;
};

class Mapping {
 public:
  // `descriptor`: of the file behind it, -1 if there is none.
  Mapping(char* base, std::uint64_t size, int descriptor) : base_(base), size_(size), descriptor_(descriptor) {}

  [[nodiscard]] const char* at(std::uint64_t offset) const { return base_ + offset; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  // Makes sure that the file system has room for these bytes. False: it is full. A write into a hole of a full one would be SIGBUS.
  [[nodiscard]] bool provide(std::uint64_t offset, std::uint64_t size) const;

  void write(std::uint64_t offset, const void* bytes, std::size_t size) {
    if (observer_) [[unlikely]]
      return write_observed(offset, bytes, size);
    std::memcpy(base_ + offset, bytes, size);
  }

  // The commit: one aligned 8-byte store, after everything written before it and before everything written after it. A kill stops a thread
  // between two instructions, so only the compiler must keep this order: hence the signal fences, which cost no instruction. (A release
  // store alone would let the compiler move later writes, of the next record into this one's old header slot, in front of it.)
  void store_word(std::uint64_t offset, std::uint64_t value) {
    if (observer_) [[unlikely]]
      observer_->before_write(offset, sizeof value);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(base_ + offset)).store(value, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  [[nodiscard]] std::uint64_t load_word(std::uint64_t offset) const {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(base_ + offset)).load(std::memory_order_acquire);
  }

  void observe(WriteObserver* observer) { observer_ = observer; }
  [[nodiscard]] bool is_observed() const { return observer_ != nullptr; }
  // To be told what is provided; null: nobody.
  void set_huge_pages(HugePages* pages) { huge_pages_ = pages; }

 private:
  void write_observed(std::uint64_t offset, const void* bytes, std::size_t size);

  char* base_;
  std::uint64_t size_;
  int descriptor_;
  HugePages* huge_pages_ = nullptr;
  WriteObserver* observer_ = nullptr;
};

}  // namespace perdure::store
