#include "edge/channel.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace perdure::edge {
namespace {
constexpr std::array<std::string_view, 5> death_names = {"none", "planned", "killed", "crashed", "hung"};

constexpr std::size_t read_max = 1 << 20;  // by one fill(), so that a talkative peer cannot hold the caller

// Drops what is done with at the front, once it is worth the copy.
void compact(std::string& buffer, std::size_t& begin) {
  if (begin < buffer.size() && begin < read_max) return;
  buffer.erase(0, begin);
  begin = 0;
}
}  // namespace

std::string_view name(Death death) {
  return death_names[static_cast<std::size_t>(death)];
}

std::string_view how(Death death) {
  constexpr std::array<std::string_view, 5> texts = {"ended", "was told to stop", "was killed", "crashed", "hung"};
  return texts[static_cast<std::size_t>(death)];
}

std::optional<Death> death_from(std::string_view name) {
  for (std::size_t i = 0; i < death_names.size(); ++i)
    if (death_names[i] == name) return static_cast<Death>(i);
  return std::nullopt;
}

Channel::Channel(int descriptor) : descriptor_(descriptor) {
  (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

Channel::~Channel() {
  if (descriptor_ >= 0) close(descriptor_);
}

Channel::Channel(Channel&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      read_(std::exchange(other.read_, 0)),
      written_(std::exchange(other.written_, 0)),
      broken_(other.broken_) {}

bool Channel::send(Message type, std::string_view payload) {
  if (payload.size() > channel_payload_bytes_max || out_.size() - written_ > channel_queue_bytes_max) return false;
  const auto size = static_cast<std::uint32_t>(payload.size() + 1);
  out_.append(reinterpret_cast<const char*>(&size), sizeof size);
  out_.push_back(static_cast<char>(type));
  out_.append(payload);
  return flush();
}

bool Channel::flush() {
  bool open = true;
  while (open && written_ < out_.size()) {
    const auto count = ::send(descriptor_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (count >= 0)
      written_ += static_cast<std::size_t>(count);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      break;
    else
      open = errno == EINTR;
  }
  compact(out_, written_);
  return open;
}

bool Channel::fill() {
  std::array<char, 65536> buffer;
  compact(in_, read_);
  bool open = true;
  for (std::size_t left = read_max; open && left >= buffer.size();) {
    const auto count = recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      in_.append(buffer.data(), static_cast<std::size_t>(count));
      left -= static_cast<std::size_t>(count);
    } else if (count == 0) {
      open = false;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else {
      open = errno == EINTR;
    }
  }
  // Looks at every message that has begun, so that a bad length is seen before its body is waited for.
  std::size_t at = read_;
  for (std::uint32_t size = 0; !broken_ && in_.size() - at >= sizeof size; at += sizeof size + size) {
    std::memcpy(&size, in_.data() + at, sizeof size);
    broken_ = size == 0 || size > channel_message_bytes_max;
    if (in_.size() - at - sizeof size < size) break;
  }
  return open && !broken_;
}

std::optional<Channel::Received> Channel::take() {
  std::uint32_t size = 0;
  if (in_.size() - read_ < sizeof size) return std::nullopt;
  std::memcpy(&size, in_.data() + read_, sizeof size);
  if (size == 0 || size > channel_message_bytes_max || in_.size() - read_ - sizeof size < size) return std::nullopt;
  Received received{static_cast<Message>(in_[read_ + sizeof size]), in_.substr(read_ + sizeof size + 1, size - 1)};
  read_ += sizeof size + size;
  return received;
}

std::string Channel::with_id(std::uint64_t id, std::string_view text) {
  std::string payload(reinterpret_cast<const char*>(&id), sizeof id);
  payload += text;
  return payload;
}

std::optional<std::pair<std::uint64_t, std::string_view>> Channel::split_id(std::string_view payload) {
  std::uint64_t id = 0;
  if (payload.size() < sizeof id) return std::nullopt;
  std::memcpy(&id, payload.data(), sizeof id);
  return std::pair{id, payload.substr(sizeof id)};
}

}  // namespace perdure::edge
