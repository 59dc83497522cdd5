#pragma once
// Sessions of TLS cannot go to another process, but what is said in them can: for each session that stays here there is a local socket, and
// this thread encrypts what comes out of it and puts into it what it has decrypted. The connection, its messages, limits and timers belong
// to the hub at the other end of that socket, whichever process that is in.
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "edge/connections/stream.hpp"

namespace perdure::edge {

class Relay {
 public:
  Relay();
  ~Relay();  // closes all sessions
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  struct Session {
    std::unique_ptr<Stream> stream;
    int socket = -1;      // to the hub; this object's
    bool is_open = true;  // false: the handshake goes on, for at most handshake_timeout
    std::string unsent;   // has been given to the stream in part
    Duration handshake_timeout{};
  };
  // May be used in any thread.
  void add(Session session);
  // Sessions that have not ended.
  [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct Pumped;
  enum class Moved : std::uint8_t { Some, Blocked, Ended };

  void run();
  void adopt_new();
  void watch(std::uint64_t id, Pumped& session);
  void pump(std::uint64_t id);
  [[nodiscard]] Moved to_hub(Pumped& session);
  [[nodiscard]] Moved to_peer(Pumped& session);
  void end(std::uint64_t id);
  void check_deadlines();

  int epoll_, wake_;
  std::atomic<std::size_t> count_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<Session> new_;
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Pumped>> sessions_;
  std::uint64_t next_id_ = 1;
  std::vector<std::uint64_t> again_;  // have more to move
  SteadyTime now_, next_check_;
  std::string scratch_;
  std::thread thread_;
};

}  // namespace perdure::edge
