#include "edge/connections/relay.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/assert.hpp"

namespace perdure::edge {
namespace {

constexpr std::uint64_t wake_event = 0;
constexpr int moves_per_turn = 8;  // of one session, before others have their turn
constexpr std::size_t move_bytes = 16 * 1024;
constexpr Duration check_interval = 1s;
constexpr Duration farewell = 5s;  // a peer has so long to take what the hub said last

}  // namespace

// Each direction holds at most what was read in one go and not yet written: then nothing is read until it is.
struct Relay::Pumped {
  explicit Pumped(Session added) : session(std::move(added)), for_peer(std::move(session.unsent)) {}
  ~Pumped() { ::close(session.socket); }

  Session session;
  std::string for_hub, for_peer;
  bool peer_ended = false, hub_ended = false, again = false;
  SteadyTime deadline = SteadyTime::max();
};

Relay::Relay() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), scratch_(move_bytes, '\0') {
  PERDURE_ASSERT(epoll_ >= 0 && wake_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = wake_event;
  (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  stop_.store(true, std::memory_order_release);
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
  thread_.join();
  for (const auto& [id, pumped] : sessions_) pumped->session.stream->finish();
  sessions_.clear();
  for (const auto& session : new_) ::close(session.socket);
  ::close(wake_);
  ::close(epoll_);
}

void Relay::add(Session session) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  new_.push_back(std::move(session));
  const std::uint64_t one = 1;
  (void)!write(wake_, &one, sizeof one);
}

void Relay::run() {
  (void)pthread_setname_np(pthread_self(), "relay");
  std::array<epoll_event, 256> events;
  while (!stop_.load(std::memory_order_acquire)) {
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(check_interval);
    const int wait_ms = again_.empty() ? static_cast<int>(longest.count()) : 0;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    now_ = std::chrono::steady_clock::now();
    for (const auto id : std::exchange(again_, {})) pump(id);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == wake_event)
        adopt_new();
      else
        pump(id);
    }
    if (now_ >= next_check_) {
      next_check_ = now_ + check_interval;
      check_deadlines();
    }
  }
}

void Relay::adopt_new() {
  std::uint64_t ignored = 0;
  (void)!read(wake_, &ignored, sizeof ignored);
  std::vector<Session> added;
  {
    const std::scoped_lock lock(mutex_);
    added.swap(new_);
  }
  for (auto& session : added) {
    const std::uint64_t id = next_id_++;
    Pumped& pumped = *sessions_.emplace(id, std::make_unique<Pumped>(std::move(session))).first->second;
    if (!pumped.session.is_open) pumped.deadline = now_ + pumped.session.handshake_timeout;
    watch(id, pumped);
    pump(id);  // what the session had decrypted already, epoll does not know of
  }
}

// Edge-triggered, both ends for both directions: pump() always goes on until neither can.
void Relay::watch(std::uint64_t id, Pumped& pumped) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id;
  for (const int descriptor : {pumped.session.stream->descriptor(), pumped.session.socket})
    (void)epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
}

void Relay::pump(std::uint64_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Pumped& pumped = *found->second;
  pumped.again = false;
  if (!pumped.session.is_open) {
    const IoStatus status = pumped.session.stream->handshake();
    if (status == IoStatus::WantRead || status == IoStatus::WantWrite) return;
    if (status != IoStatus::Ok) return end(id);
    pumped.session.is_open = true;
    pumped.deadline = SteadyTime::max();
  }
  for (int i = 0; i < moves_per_turn; ++i) {
    const Moved up = to_hub(pumped), down = to_peer(pumped);
    if (up == Moved::Ended || down == Moved::Ended) return end(id);
    if (up == Moved::Blocked && down == Moved::Blocked) return;
  }
  if (!std::exchange(pumped.again, true)) again_.push_back(id);
}

Relay::Moved Relay::to_hub(Pumped& pumped) {
  if (pumped.for_hub.empty()) {
    if (pumped.peer_ended) return Moved::Ended;  // and the hub has heard all of it
    const auto [status, bytes] = pumped.session.stream->read({scratch_.data(), scratch_.size()});
    pumped.peer_ended = status == IoStatus::Closed || status == IoStatus::Failed;
    if (pumped.peer_ended) return Moved::Some;
    if (status != IoStatus::Ok) return Moved::Blocked;
    pumped.for_hub.assign(scratch_, 0, bytes);
  }
  const ssize_t count = send(pumped.session.socket, pumped.for_hub.data(), pumped.for_hub.size(), MSG_NOSIGNAL);
  if (count < 0) return errno == EAGAIN || errno == EINTR ? Moved::Blocked : Moved::Ended;
  pumped.for_hub.erase(0, static_cast<std::size_t>(count));
  if (pumped.for_hub.empty()) std::string().swap(pumped.for_hub);
  return Moved::Some;
}

Relay::Moved Relay::to_peer(Pumped& pumped) {
  if (pumped.for_peer.empty()) {
    if (pumped.hub_ended) return Moved::Ended;
    const ssize_t count = recv(pumped.session.socket, scratch_.data(), scratch_.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Moved::Blocked;
    pumped.hub_ended = count <= 0;
    if (pumped.hub_ended) return Moved::Some;
    pumped.for_peer.assign(scratch_, 0, static_cast<std::size_t>(count));
  }
  const auto [status, bytes] = pumped.session.stream->write(pumped.for_peer);
  if (status == IoStatus::Closed || status == IoStatus::Failed) return Moved::Ended;
  if (status != IoStatus::Ok) return Moved::Blocked;
  pumped.for_peer.erase(0, bytes);
  if (pumped.for_peer.empty()) std::string().swap(pumped.for_peer);
  return Moved::Some;
}

void Relay::end(std::uint64_t id) {
  const auto found = sessions_.find(id);
  found->second->session.stream->finish();
  sessions_.erase(found);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

// That the hub is gone shows only when it is read to its end, which a peer that takes nothing prevents.
void Relay::check_deadlines() {
  std::vector<std::uint64_t> over;
  for (const auto& [id, pumped] : sessions_) {
    char ignored = 0;
    const bool blocked = pumped->session.is_open && !pumped->for_peer.empty() && pumped->deadline == SteadyTime::max();
    if (blocked && (pumped->hub_ended || (send(pumped->session.socket, &ignored, 0, MSG_NOSIGNAL) < 0 && errno == EPIPE)))
      pumped->deadline = now_ + farewell;
    if (now_ > pumped->deadline) over.push_back(id);
  }
  for (const auto id : over) end(id);
}

}  // namespace perdure::edge
