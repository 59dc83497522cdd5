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
  Initialised = 1,       // configuration and script are loaded; waits for Attach
  InitialiseFailed = 2,  // text: why; the engine exits
  Attached = 3,          // json: recovered, dropped, attach_us, redelivered, quarantined
  AttachFailed = 4,      // text
  Stopped = 5,           // the store is closed; the engine exits
  RpcResponse = 6,       // id (8 bytes, little endian), json
  ReloadResult = 7,      // empty: done; else the error text
  // edge to engine
  Attach = 32,      // text: how the engine before ended, see Death
  Stop = 33,        // finish the batch, close the store, say Stopped, exit
  RpcRequest = 34,  // id, json
  Reload = 35,
};

// How an engine ended.
enum class Death : std::uint8_t { None, Planned, Killed, Crashed, Hung };
[[nodiscard]] std::string_view name(Death death);
[[nodiscard]] std::optional<Death> death_from(std::string_view name);

inline constexpr std::size_t channel_message_bytes_max = 16 << 20;

// One end. Not thread-safe. Owns the descriptor.
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

  // Queues and writes as much as fits now. False: the other end is gone.
  bool send(Message type, std::string_view payload = {});
  // Writes what is queued; wait for POLLOUT while wants_write(). False: the other end is gone.
  bool flush();
  [[nodiscard]] bool wants_write() const { return written_ < out_.size(); }

  // Reads what is there. False: the other end is gone or speaks nonsense.
  bool fill();
  // The next complete message.
  [[nodiscard]] std::optional<Received> take();

  static std::string with_id(std::uint64_t id, std::string_view text);
  // {id, text}; nullopt if shorter than an id.
  static std::optional<std::pair<std::uint64_t, std::string_view>> split_id(std::string_view payload);

 private:
  int descriptor_;
  std::string in_, out_;
  std::size_t read_ = 0, written_ = 0;
};

}  // namespace perdure::edge
