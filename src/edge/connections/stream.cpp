#include "edge/connections/stream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perdure::edge {

Stream::~Stream() {
  if (descriptor_ >= 0) close(descriptor_);
}

IoResult Stream::read(std::span<char> into) {
  const ssize_t count = recv(descriptor_, into.data(), into.size(), 0);
  if (count > 0) return {IoStatus::Ok, static_cast<std::size_t>(count)};
  if (count == 0) return {IoStatus::Closed, 0};
  return {errno == EAGAIN || errno == EINTR ? IoStatus::WantRead : IoStatus::Failed, 0};
}

IoResult Stream::write(std::string_view bytes) {
  const ssize_t count = send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return {IoStatus::Ok, static_cast<std::size_t>(count)};
  return {errno == EAGAIN || errno == EINTR ? IoStatus::WantWrite : IoStatus::Failed, 0};
}

std::string Stream::error() const {
  return std::strerror(errno);
}

}  // namespace perdure::edge
