#include "edge/descriptor_channel.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace perdure::edge {
namespace {

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * descriptors_per_message_max);

std::vector<int> descriptors_of(msghdr& message) {
  std::vector<int> found;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    found.resize((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(found.data(), CMSG_DATA(part), found.size() * sizeof(int));
  }
  return found;
}

}  // namespace

Result<std::pair<int, int>> DescriptorChannel::make_pair() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail(fmt::format("socketpair: {}", std::strerror(errno)));
  return std::pair(pair[0], pair[1]);
}

DescriptorChannel::DescriptorChannel(int socket) : socket_(socket) {
  (void)fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
}

DescriptorChannel::~DescriptorChannel() {
  close(socket_);
}

bool DescriptorChannel::send(std::string_view type, std::string_view text, const std::vector<int>& descriptors) {
  if (type.size() + 1 + text.size() > descriptor_message_bytes_max || descriptors.size() > descriptors_per_message_max ||
      queue_.size() >= descriptor_messages_queued_max)
    return false;
  queue_.push_back({fmt::format("{}\n{}", type, text), descriptors});
  return flush();
}

int DescriptorChannel::write(const Queued& queued) const {
  std::string bytes = queued.bytes;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!queued.descriptors.empty()) {
    const std::size_t size = queued.descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(head), queued.descriptors.data(), size);
  }
  return sendmsg(socket_, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

bool DescriptorChannel::flush() {
  while (!queue_.empty()) {
    const int error = write(queue_.front());
    if (error == EINTR) continue;
    // ETOOMANYREFS: descriptors that the other end has not yet taken.
    if (error == EAGAIN || error == EWOULDBLOCK || error == ETOOMANYREFS) return true;
    if (error != 0) return false;
    queue_.pop_front();
  }
  return true;
}

std::optional<DescriptorChannel::Message> DescriptorChannel::receive() {
  std::string bytes(descriptor_message_bytes_max, '\0');
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, control_bytes> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t count = 0;
  do count = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count <= 0) {
    ended_ = count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    return std::nullopt;
  }
  bytes.resize(static_cast<std::size_t>(count));
  const auto end = bytes.find('\n');
  Message received{bytes.substr(0, end), end == std::string::npos ? "" : bytes.substr(end + 1), descriptors_of(message)};
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) received.type = "truncated";
  return received;
}

}  // namespace perdure::edge
