#pragma once
// What edge and engine say to each other: framed messages over a stream socket pair. 4 bytes length of type and payload, 1 byte type,
// payload.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::edge {

enum class Message : std::uint8_t {
  // engine to edge
  Initialised = 1,       // text: its Manifest. Configuration and script are loaded; waits for Attach
  InitialiseFailed = 2,  // text: why; the engine exits
  Attached = 3,          // json: recovered, dropped, attach_us, redelivered, quarantined
  AttachFailed = 4,      // text
  Stopped = 5,           // the store is closed; the engine exits
  RpcResponse = 6,       // id (8 bytes, little endian), json
  ReloadResult = 7,      // empty: done; else the error text
  // edge to engine
  Attach = 32,      // text: how the engine before ended, see Death
  Stop = 33,        // finish the batch, close the store, say Stopped, exit; the next engine attaches when it has said so
  RpcRequest = 34,  // id, json
  Reload = 35,
};

// How an engine ended.
enum class Death : std::uint8_t { None, Planned, Killed, Crashed, Hung };
[[nodiscard]] std::string_view name(Death death);
[[nodiscard]] std::string_view how(Death death);  // "was killed", "crashed"
[[nodiscard]] std::optional<Death> death_from(std::string_view name);

inline constexpr std::size_t channel_message_bytes_max = 16 << 20;  // type and payload
inline constexpr std::size_t channel_payload_bytes_max = channel_message_bytes_max - 1;
inline constexpr std::size_t channel_queue_bytes_max = 2 * channel_message_bytes_max;  // not yet written

// One end. Not thread-safe. Owns the descriptor, which becomes non-blocking.
class Channel {
 public:
  struct Received {
    Message type{};
    std::string payload;
  };

  explicit Channel(int descriptor);
  ~Channel();
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Queues and writes as much as fits now. False: the other end is gone or does not read, or the payload is longer than
  // channel_payload_bytes_max; nothing of it is sent then.
  bool send(Message type, std::string_view payload = {});
  // Writes what is queued; wait for POLLOUT while wants_write(). False: the other end is gone.
  bool flush();
  [[nodiscard]] bool wants_write() const { return written_ < out_.size(); }

  // Reads what is there, a bounded part of it at a time. False: the other end is gone or is_broken(); what came before can still be taken.
  bool fill();
  // It announced a message of impossible length: nothing more can be read.
  [[nodiscard]] bool is_broken() const { return broken_; }
  // The next complete message.
  [[nodiscard]] std::optional<Received> take();

  static std::string with_id(std::uint64_t id, std::string_view text);
  // {id, text}; nullopt if shorter than an id.
  static std::optional<std::pair<std::uint64_t, std::string_view>> split_id(std::string_view payload);

 private:
  int descriptor_;
  std::string in_, out_;
  std::size_t read_ = 0, written_ = 0;
  bool broken_ = false;
};

}  // namespace perdure::edge
