#include "edge/fake_engine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>

#include "edge/channel.hpp"
#include "edge/shared_region.hpp"

namespace perdure::edge {
namespace {

std::uint64_t monotonic_us() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

class FakeEngine {
 public:
  FakeEngine(std::string folder, int channel, int shared)
      : folder_(std::move(folder)), channel_(channel), region_(std::move(*SharedRegion::map(shared))) {
    std::ifstream(folder_ + "/mode") >> mode_;
  }

  int run() {
    if (mode_ == "no-script") {
      (void)channel_.send(Message::InitialiseFailed, "routes.lua:3: no such function");
      return 1;
    }
    if (mode_ == "mute") pause();
    if (mode_ == "crash-at-start") std::abort();
    (void)channel_.send(Message::Initialised, manifest());
    for (;;) {
      pollfd waiting{channel_.descriptor(), POLLIN, 0};
      (void)poll(&waiting, 1, 10);
      if (attached_ && mode_ != "hang") region_->mark(0).tick_us.store(monotonic_us());
      const bool open = channel_.fill();
      while (const auto received = channel_.take())
        if (const auto code = on_message(*received)) return *code;
      if (!open) return 0;
    }
  }

 private:
  [[nodiscard]] std::string manifest() const {
    if (mode_ == "no-manifest") return "";
    if (mode_ == "other-layout") return "version 9\nlayout store 1\nlayout call 9 8\n";
    if (mode_ == "newer") return "version 2\nlayout store 1\nlayout call 2 1\n";
    return "version 1\nlayout store 1\nlayout call 1\n";
  }

  std::optional<int> on_message(const Channel::Received& received) {
    switch (received.type) {
      case Message::Attach:
        return attach(received.payload);
      case Message::Stop:
        if (mode_ == "deaf") return std::nullopt;
        if (mode_ == "crash-at-stop") std::abort();
        if (lock_ >= 0) close(lock_);
        (void)channel_.send(Message::Stopped);
        return 0;
      case Message::RpcRequest:
        if (const auto parts = Channel::split_id(received.payload))
          (void)channel_.send(Message::RpcResponse, Channel::with_id(parts->first, std::to_string(getpid())));
        return std::nullopt;
      case Message::Reload:
        (void)channel_.send(Message::ReloadResult);
        return std::nullopt;
      default:
        return std::nullopt;
    }
  }

  std::optional<int> attach(const std::string& death) {
    if (mode_ == "no-store") {
      (void)channel_.send(Message::AttachFailed, "the store is damaged");
      return 1;
    }
    if (mode_ == "crash") std::abort();
    // What a store would do: one process at a time.
    lock_ = open((folder_ + "/lock").c_str(), O_RDWR | O_CREAT, 0600);
    if (flock(lock_, LOCK_EX | LOCK_NB) != 0) std::ofstream(folder_ + "/two-at-once") << getpid();
    std::ofstream(folder_ + "/deaths", std::ios::app) << death << '\n';
    attached_ = true;
    region_->mark(0).tick_us.store(monotonic_us());
    (void)channel_.send(Message::Attached, R"({"recovered":1})");
    if (mode_ == "short-lived") return 3;
    return std::nullopt;
  }

  const std::string folder_;
  Channel channel_;
  std::unique_ptr<SharedRegion> region_;
  std::string mode_;
  bool attached_ = false;
  int lock_ = -1;
};

}  // namespace

std::optional<int> run_fake_engine(int argc, char** argv) {
  std::string folder;
  int channel = -1, shared = -1;
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--fake-engine") folder = argv[i + 1];
    if (name == "--channel") channel = std::atoi(argv[i + 1]);
    if (name == "--shared") shared = std::atoi(argv[i + 1]);
  }
  if (folder.empty()) return std::nullopt;
  return FakeEngine(folder, channel, shared).run();
}

}  // namespace perdure::edge
