#include "edge/connections/handed_connections.hpp"

#include <unistd.h>

#include <cstring>
#include <type_traits>
#include <utility>

namespace perdure::edge {
namespace {

// One description of the fields for both directions: `io` writes them, or reads them into their places.
template <class Io>
void fields(Io& io, auto& outgoing) requires std::is_same_v<std::remove_cvref_t<decltype(outgoing)>, Outgoing> {
  io(outgoing.bytes), io(outgoing.server_name), io(outgoing.destination), io(outgoing.socket), io(outgoing.connection);
  io(outgoing.prefix), io(outgoing.is_message);
}

template <class Io>
void fields(Io& io, auto& one) requires std::is_same_v<std::remove_cvref_t<decltype(one)>, HandedConnection> {
  io(one.id), io(one.transport), io(one.state), io(one.inbound), io(one.found_by_address), io(one.after_crlf), io(one.web);
  io(one.assembling), io(one.socket), io(one.peer), io(one.source), io(one.proved_name), io(one.security), io(one.in), io(one.kept);
  io(one.waiting), io(one.out), io(one.written), io(one.opened), io(one.active), io(one.message_since), io(one.write_since);
  io(one.messages_received), io(one.messages_sent), io(one.proved_domains), io(one.aliases), io(one.answers_pings);
}

class Writer {
 public:
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      (*this)(value.size());
      bytes += value;
    } else if constexpr (std::is_trivially_copyable_v<T>) {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (requires { value.begin(); }) {
      (*this)(value.size());
      for (const auto& one : value) (*this)(one);
    } else {
      fields(*this, value);
    }
  }
  std::string bytes;
};

// What does not fit makes it fail, and everything after that is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      value = take(length());
    } else if constexpr (std::is_trivially_copyable_v<T>) {
      if (const auto bytes = take(sizeof value); bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    } else if constexpr (requires { value.begin(); }) {
      for (std::size_t left = length(); left > 0 && !failed; --left) (*this)(value.emplace_back());
    } else {
      fields(*this, value);
    }
  }
  [[nodiscard]] bool is_at_end() const { return rest_.empty() && !failed; }
  bool failed = false;

 private:
  std::size_t length() {
    std::size_t length = 0;
    (*this)(length);
    return length;
  }
  std::string_view take(std::size_t size) {
    failed = failed || size > rest_.size();
    if (failed) return {};
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

void close_all(const std::vector<int>& descriptors) {
  for (const int descriptor : descriptors)
    if (descriptor >= 0) close(descriptor);
}

}  // namespace

HandedConnections::HandedConnections(HandedConnections&& other) noexcept
    : connections(std::exchange(other.connections, {})),
      descriptors(std::exchange(other.descriptors, {})),
      undelivered(std::exchange(other.undelivered, {})),
      sent(std::exchange(other.sent, {})) {}

HandedConnections& HandedConnections::operator=(HandedConnections&& other) noexcept {
  std::swap(connections, other.connections);
  std::swap(descriptors, other.descriptors);
  std::swap(undelivered, other.undelivered);
  std::swap(sent, other.sent);
  return *this;
}

HandedConnections::~HandedConnections() {
  close_all(descriptors);
}

std::string HandedConnections::to_bytes() const {
  Writer write;
  write(connections), write(undelivered), write(sent);
  return std::move(write.bytes);
}

Result<HandedConnections> HandedConnections::from_bytes(std::string_view bytes, std::vector<int> descriptors) {
  HandedConnections handed;
  handed.descriptors = std::move(descriptors);
  Reader read(bytes);
  read(handed.connections), read(handed.undelivered), read(handed.sent);
  if (!read.is_at_end() || handed.connections.size() != handed.descriptors.size())
    return fail("the connections that are handed over make no sense");
  return handed;
}

}  // namespace perdure::edge
