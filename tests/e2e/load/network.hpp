#pragma once
// Sockets on loopback and timers for thousands of user agents in one thread.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace load {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Network {
 public:
  using Receiver = std::function<void(std::string_view bytes, std::uint16_t from_port)>;

  ~Network() {
    for (const auto& socket : sockets_) close(socket.descriptor);
  }
  // A socket on 127.0.0.1; port 0: any. The index of the socket.
  std::size_t open(std::uint16_t port, Receiver receiver) {
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int size = 8 << 20;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    sockaddr_in address = loopback(port);
    if (descriptor < 0 || bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      std::fprintf(stderr, "port %u of 127.0.0.1 cannot be opened\n", port);
      std::exit(2);
    }
    socklen_t length = sizeof address;
    (void)getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length);
    sockets_.push_back({descriptor, ntohs(address.sin_port), std::move(receiver)});
    polls_.push_back({descriptor, POLLIN, 0});
    return sockets_.size() - 1;
  }
  [[nodiscard]] std::uint16_t port(std::size_t socket) const { return sockets_[socket].port; }
  void send(std::size_t socket, std::uint16_t to_port, std::string_view bytes) {
    const sockaddr_in address = loopback(to_port);
    (void)sendto(sockets_[socket].descriptor, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  void after(milliseconds delay, std::function<void()> action) { timers_.push({Clock::now() + delay, order_++, std::move(action)}); }

  // One round of waiting, receiving and firing.
  void turn() {
    int wait = 20;
    if (!timers_.empty()) {
      const auto left = std::chrono::duration_cast<milliseconds>(timers_.top().at - Clock::now()).count();
      wait = static_cast<int>(std::clamp<long>(left, 0, 20));
    }
    if (poll(polls_.data(), polls_.size(), wait) > 0)
      for (std::size_t i = 0; i < polls_.size(); ++i)
        if (polls_[i].revents) read(i);
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.top().at <= now) {
      const auto action = timers_.top().action;
      timers_.pop();
      action();
    }
  }

 private:
  struct Socket {
    int descriptor;
    std::uint16_t port;
    Receiver receiver;
  };
  struct Timer {
    Clock::time_point at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Timer& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  void read(std::size_t index) {
    static std::array<char, 65536> buffer;
    for (int i = 0; i < 64; ++i) {
      sockaddr_in from{};
      socklen_t length = sizeof from;
      const auto count = recvfrom(sockets_[index].descriptor, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
      if (count <= 0) return;
      sockets_[index].receiver({buffer.data(), static_cast<std::size_t>(count)}, ntohs(from.sin_port));
    }
  }

  std::vector<Socket> sockets_;
  std::vector<pollfd> polls_;
  std::priority_queue<Timer> timers_;
  std::uint64_t order_ = 0;
};

}  // namespace load
