#pragma once
// Bytes of a connection, plain or encrypted. Non-blocking: whoever is told to wait calls again when the descriptor is ready.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  // The descriptor is the caller's from here on, and this stream can do nothing any more.
  [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }
  // Ok: messages may come. Again until then.
  [[nodiscard]] virtual IoStatus handshake() { return IoStatus::Ok; }
  [[nodiscard]] virtual IoResult read(std::span<char> into);
  // After a read: there is more that has left the descriptor, so that waiting for it to be readable would be in vain.
  [[nodiscard]] virtual bool holds_more() const { return false; }
  // Who has been told to wait offers the same bytes again; more may follow them.
  [[nodiscard]] virtual IoResult write(std::string_view bytes);
  // Says goodbye where the protocol has a word for it.
  virtual void finish() {}
  // Whether only this process can go on with it: what is encrypted needs more than the descriptor.
  [[nodiscard]] virtual bool stays_here() const { return false; }
  // Version, cipher and who the peer has proved to be; empty without encryption.
  [[nodiscard]] virtual std::string description() const { return {}; }
  // The SIP domains that the peer has proved to be (RFC 5922); none without a certificate that has been verified.
  [[nodiscard]] virtual std::vector<std::string> proved_domains() const { return {}; }
  // Why the last call failed.
  [[nodiscard]] virtual std::string error() const;

 private:
  int descriptor_;
};

// The bytes of a session that another process encrypts (relay.hpp), by a socket to it.
class RelayedStream final : public Stream {
 public:
  // `description`: of the session, as it was when it went there.
  RelayedStream(int descriptor, std::string description) : Stream(descriptor), description_(std::move(description)) {}
  [[nodiscard]] std::string description() const override { return description_; }

 private:
  std::string description_;
};

}  // namespace perdure::edge
