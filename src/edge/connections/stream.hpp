#pragma once
// Bytes of a connection, plain or encrypted. Non-blocking: whoever is told to wait calls again when the descriptor is ready.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace perdure::edge {

enum class IoStatus : std::uint8_t { Ok, WantRead, WantWrite, Closed, Failed };

struct IoResult {
  IoStatus status = IoStatus::Ok;
  std::size_t bytes = 0;
};

class Stream {
 public:
  // Owns the descriptor.
  explicit Stream(int descriptor) : descriptor_(descriptor) {}
  virtual ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  // Ok: messages may come. Again until then.
  [[nodiscard]] virtual IoStatus handshake() { return IoStatus::Ok; }
  [[nodiscard]] virtual IoResult read(std::span<char> into);
  [[nodiscard]] virtual IoResult write(std::string_view bytes);
  // Says goodbye where the protocol has a word for it.
  virtual void finish() {}
  // Version, cipher and who the peer has proved to be; empty without encryption.
  [[nodiscard]] virtual std::string description() const { return {}; }
  // Why the last call failed.
  [[nodiscard]] virtual std::string error() const;

 private:
  int descriptor_;
};

}  // namespace perdure::edge
