#pragma once
// Messages with descriptors (SCM_RIGHTS) between two edges, over a pair of sequential-packet sockets. A message is a type, a text, and up
// to descriptors_per_message_max descriptors.
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace perdure::edge {

inline constexpr std::size_t descriptors_per_message_max = 64, descriptor_message_bytes_max = 32 << 10;
inline constexpr std::size_t descriptor_messages_queued_max = 65536;

// One end. Not thread-safe. Owns its socket, which becomes non-blocking.
class DescriptorChannel {
 public:
  struct Message {
    std::string type, text;
    std::vector<int> descriptors;  // close-on-exec; whoever takes the message owns them
  };

  [[nodiscard]] static Result<std::pair<int, int>> make_pair();  // close-on-exec
  explicit DescriptorChannel(int socket);
  ~DescriptorChannel();
  DescriptorChannel(const DescriptorChannel&) = delete;
  DescriptorChannel& operator=(const DescriptorChannel&) = delete;

  [[nodiscard]] int descriptor() const { return socket_; }
  // Queues, and writes as much as fits now; the descriptors stay the caller's and stay open until all is written. False: the other end is
  // gone, or more than it may be.
  bool send(std::string_view type, std::string_view text = {}, const std::vector<int>& descriptors = {});
  // Writes what is queued; wait for POLLOUT while wants_write(). False: the other end is gone.
  bool flush();
  [[nodiscard]] bool wants_write() const { return !queue_.empty(); }
  // The next message. nullopt: there is none now; ended() tells whether one can come.
  [[nodiscard]] std::optional<Message> receive();
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  struct Queued {
    std::string bytes;
    std::vector<int> descriptors;
  };
  [[nodiscard]] int write(const Queued& message) const;  // 0, or the error number

  int socket_;
  std::deque<Queued> queue_;
  bool ended_ = false;
};

}  // namespace perdure::edge
