#include "trace/hep_exporter.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/logging.hpp"

namespace perdure::trace {
namespace {

constexpr std::chrono::milliseconds interval{50};
constexpr std::int64_t look_interval_us = 1'000'000, retry_interval_us = 2'000'000;
constexpr std::size_t batch_bytes = 256 * 1024, datagrams_per_call = 64;
constexpr int write_patience_ms = 2000;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

HepExporter::HepExporter(std::string path, HepOptions options) : path_(std::move(path)), options_(std::move(options)) {
  look_for_file();  // before the thread has its turn: "from now on" is now
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

HepExporter::~HepExporter() {
  thread_.request_stop();
  thread_.join();
  if (socket_ >= 0) close(socket_);
}

HepExporter::Counters HepExporter::counters() const {
  return {sent_.load(std::memory_order_relaxed), lost_bytes_.load(std::memory_order_relaxed), errors_.load(std::memory_order_relaxed)};
}

void HepExporter::run(const std::stop_token& stop) {
  (void)pthread_setname_np(pthread_self(), "hep");
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    if (now_us() >= next_look_us_) look_for_file();
    if (file_ && (socket_ >= 0 || connect())) export_new();
    (void)wake.wait_for(lock, stop, interval, [] { return false; });
  }
  if (file_ && socket_ >= 0) export_new();
}

// Engines make a new one when its shape has changed.
void HepExporter::look_for_file() {
  next_look_us_ = now_us() + look_interval_us;
  if (file_ && file_->is_current()) return;
  auto opened = RingFile::open_to_read(path_);
  if (!opened) return;
  readers_.clear();
  file_ = std::move(*opened);
  for (std::uint32_t i = 0; i < file_->count(); ++i) readers_.emplace_back(file_->ring(i), !known_file_);
  known_file_ = true;
}

void HepExporter::export_new() {
  for (auto& reader : readers_) {
    bool more = true;
    while (more && socket_ >= 0) {
      const std::uint64_t lost = reader.read(
          [this](const Entry& entry) {
            const std::size_t before = out_.size();
            append_hep(entry, options_, out_);
            if (out_.size() != before) ends_.push_back(out_.size());
          },
          batch_bytes);
      lost_bytes_.fetch_add(lost, std::memory_order_relaxed);
      more = out_.size() >= batch_bytes;
      flush();
    }
  }
}

void HepExporter::flush() {
  if (out_.empty()) return;
  if (options_.transport == Transport::Udp)
    send_datagrams();
  else
    send_stream();
  out_.clear();
  ends_.clear();
}

bool HepExporter::connect() {
  if (now_us() < next_attempt_us_) return false;
  next_attempt_us_ = now_us() + retry_interval_us;
  sockaddr_storage address{};
  const auto length = static_cast<socklen_t>(options_.collector->to_native(address));
  const bool stream = options_.transport != Transport::Udp;
  socket_ = socket(address.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0) return false;
  int error = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), length) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd waiting{socket_, POLLOUT, 0};
    socklen_t size = sizeof error;
    error = ETIMEDOUT;
    if (poll(&waiting, 1, write_patience_ms) > 0 && getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  if (error == 0) return true;
  if (errors_.fetch_add(1, std::memory_order_relaxed) == 0)
    log::warning("the collector {} cannot be reached: {}; it is tried again", options_.collector->text(), std::strerror(error));
  close(std::exchange(socket_, -1));
  return false;
}

void HepExporter::fail_connection() {
  errors_.fetch_add(1, std::memory_order_relaxed);
  close(std::exchange(socket_, -1));
  next_attempt_us_ = now_us() + retry_interval_us;
}

// Who sends datagrams hears of a collector that is away by the answer to an earlier one, and goes on.
void HepExporter::send_datagrams() {
  std::array<iovec, datagrams_per_call> vectors;
  std::array<mmsghdr, datagrams_per_call> headers;
  std::size_t begin = 0;
  for (std::size_t next = 0; next < ends_.size();) {
    const std::size_t count = std::min(datagrams_per_call, ends_.size() - next);
    std::size_t from = begin;
    for (std::size_t i = 0; i < count; ++i) {
      vectors[i] = {out_.data() + from, ends_[next + i] - from};
      headers[i] = {};
      headers[i].msg_hdr.msg_iov = &vectors[i];
      headers[i].msg_hdr.msg_iovlen = 1;
      from = ends_[next + i];
    }
    const int sent = sendmmsg(socket_, headers.data(), static_cast<unsigned>(count), 0);
    if (sent <= 0) {
      if (errno == EAGAIN) {
        pollfd waiting{socket_, POLLOUT, 0};
        if (poll(&waiting, 1, write_patience_ms) > 0) continue;
      }
      errors_.fetch_add(1, std::memory_order_relaxed);
      begin = ends_[next++];  // this one is lost
      continue;
    }
    sent_.fetch_add(static_cast<std::uint64_t>(sent), std::memory_order_relaxed);
    next += static_cast<std::size_t>(sent);
    begin = ends_[next - 1];
  }
}

void HepExporter::send_stream() {
  for (std::size_t at = 0; at < out_.size();) {
    const ssize_t written = ::send(socket_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
    if (written > 0) {
      at += static_cast<std::size_t>(written);
      continue;
    }
    pollfd waiting{socket_, POLLOUT, 0};
    if (written < 0 && errno == EAGAIN && poll(&waiting, 1, write_patience_ms) > 0) continue;
    return fail_connection();
  }
  sent_.fetch_add(ends_.size(), std::memory_order_relaxed);
}

}  // namespace perdure::trace
