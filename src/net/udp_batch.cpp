#include "net/udp_batch.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

namespace perdure::net {
namespace {

constexpr std::size_t call_max = 64;  // datagrams per system call

// Headers of one sendmmsg, on the stack.
struct Batch {
  std::array<mmsghdr, call_max> messages;
  std::array<iovec, call_max> vectors;
  std::array<sockaddr_storage, call_max> names;

  void fill(std::span<const Datagram> datagrams) {
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      vectors[i] = {const_cast<char*>(datagrams[i].bytes.data()), datagrams[i].bytes.size()};
      messages[i] = {};
      if (datagrams[i].destination.family != Family::None) {
        messages[i].msg_hdr.msg_name = &names[i];
        messages[i].msg_hdr.msg_namelen = static_cast<socklen_t>(datagrams[i].destination.to_native(names[i]));
      }
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

// Waits until the socket takes more. What is left of `budget` is stored in it. False: it is used up.
bool wait_writable(int descriptor, Duration& budget) {
  if (budget <= Duration{}) return false;
  const auto began = std::chrono::steady_clock::now();
  pollfd waiting{descriptor, POLLOUT, 0};
  const auto wait_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(budget).count());
  const bool writable = poll(&waiting, 1, wait_ms) > 0;
  // At least a bit each time, so that a socket that is writable and full at once cannot hold us.
  budget -= std::max<Duration>(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began), 10us);
  return writable;
}

}  // namespace

SendCounts send_datagrams(int descriptor, std::span<const Datagram> datagrams) {
  SendCounts counts;
  Batch batch;
  Duration budget = send_wait_max;
  bool retried = false;
  while (!datagrams.empty()) {
    const std::size_t count = std::min(call_max, datagrams.size());
    batch.fill(datagrams.first(count));
    ++counts.calls;
    const int sent = sendmmsg(descriptor, batch.messages.data(), static_cast<unsigned>(count), 0);
    if (sent > 0) {
      counts.sent += static_cast<std::uint64_t>(sent);
      datagrams = datagrams.subspan(static_cast<std::size_t>(sent));
      retried = false;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if ((error == EAGAIN || error == EWOULDBLOCK) && wait_writable(descriptor, budget)) continue;
    // An ICMP error of an earlier datagram is reported to the next one to be sent, which is not to blame.
    const bool of_an_earlier_one = error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
    if (of_an_earlier_one && !retried) {
      retried = true;
      continue;
    }
    ++counts.failed;
    datagrams = datagrams.subspan(1);
    retried = false;
  }
  return counts;
}

}  // namespace perdure::net
