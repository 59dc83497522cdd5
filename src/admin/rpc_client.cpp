#include "admin/rpc_client.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace perdure::admin {
namespace {

constexpr std::size_t answer_bytes_max = 64 << 20;

// Waits for `events`. False: not before the deadline.
bool wait(int descriptor, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{descriptor, events, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

Result<RpcClient> RpcClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(fmt::format("{}: the path of a socket has at most 107 bytes", path));
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(fmt::format("socket: {}", std::strerror(errno)));
  RpcClient client(descriptor, path);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return client;
  if (errno == ENOENT || errno == ECONNREFUSED) return fail(fmt::format("no server at {}; is it running?", path));
  return fail(fmt::format("{}: {}", path, std::strerror(errno)));
}

RpcClient::RpcClient(RpcClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), in_(std::move(other.in_)) {}

RpcClient::~RpcClient() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<> RpcClient::send(std::string_view text, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!text.empty()) {
    const auto count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait(descriptor_, POLLOUT, deadline)) return fail(fmt::format("the server at {} does not read the request", path_));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};  // it may have said why before it closed
    } else if (errno != EINTR) {
      return fail(fmt::format("{}: {}", path_, std::strerror(errno)));
    }
  }
  return {};
}

Result<std::string> RpcClient::read_line(Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::array<char, 65536> buffer;
  std::size_t searched = 0;
  for (;;) {
    if (const auto end = in_.find('\n', searched); end != std::string::npos) {
      std::string line = in_.substr(0, end);
      in_.erase(0, end + 1);
      return line;
    }
    searched = in_.size();
    if (in_.size() > answer_bytes_max) return fail(fmt::format("the answer of the server at {} is too large", path_));
    if (!wait(descriptor_, POLLIN, deadline))
      return fail(fmt::format("the server at {} did not answer within {} s", path_, static_cast<double>(timeout.count()) / 1e6));
    const auto count = recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count > 0)
      in_.append(buffer.data(), static_cast<std::size_t>(count));
    else if (count == 0)
      return fail(fmt::format("the server at {} closed the connection", path_));
    else if (errno != EINTR)
      return fail(fmt::format("{}: {}", path_, std::strerror(errno)));
  }
}

RpcResult RpcClient::call(std::string_view method, Json params, Duration timeout) {
  if (auto sent = ask(method, std::move(params), timeout); !sent) return rpc_fail(sent.error().message);
  return answer(timeout);
}

Result<> RpcClient::ask(std::string_view method, Json params, Duration timeout) {
  return send(to_text(make_request(method, std::move(params))) + '\n', timeout);
}

bool RpcClient::has_answer(Duration timeout) {
  return in_.find('\n') != std::string::npos || wait(descriptor_, POLLIN, std::chrono::steady_clock::now() + timeout);
}

RpcResult RpcClient::answer(Duration timeout) {
  const auto line = read_line(timeout);
  if (!line) return rpc_fail(line.error().message);
  return read_response(*line);
}

bool RpcClient::wait_closed(Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::array<char, 4096> buffer;
  while (wait(descriptor_, POLLIN, deadline)) {
    const auto count = recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count == 0 || (count < 0 && errno != EINTR)) return true;
  }
  return false;
}

}  // namespace perdure::admin
