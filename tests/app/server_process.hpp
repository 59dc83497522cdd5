#pragma once
// Starts the real perdure, in a folder of its own, and talks SIP to it.
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::app {

struct Finished {
  int code = -1;  // exit code, or -signal
  std::string out, err;
};

// Runs perdure to its end (a minute at most, then it is killed).
[[nodiscard]] Finished run_perdure(const std::vector<std::string>& arguments);

// A folder with configuration, script and state directory; removed with all processes at the end.
class Sandbox {
 public:
  Sandbox();
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string config() const { return path("perdure.toml"); }
  void write(std::string_view name, std::string_view text) const;
  [[nodiscard]] std::string read(std::string_view name) const;
  // Top-level lines, then the sections. The port is 0 until a server has run, then the one it had.
  void configure(std::string_view top = "", std::string_view sections = "");

  // Starts the server and waits for its line `ready`. False: it ended instead; see finish().
  [[nodiscard]] bool start();
  // Starts the server, waits until it has its control socket and for `delay` more, sends SIGTERM twice. Whether it ended in order.
  [[nodiscard]] bool start_and_stop(std::chrono::microseconds delay);
  [[nodiscard]] pid_t edge() const { return edge_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void send_signal(int number) const;
  // Waits for the end of the server.
  [[nodiscard]] Finished finish();
  // A command for this server.
  [[nodiscard]] Finished command(std::vector<std::string> arguments) const;
  [[nodiscard]] nlohmann::json status() const;
  // Asks until `condition` holds for the status, a bounded time.
  template <class Condition>
  [[nodiscard]] bool wait_for_status(Condition condition) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end)
      if (condition(status())) return true;
    return false;
  }
  // What a failed or ended server must not leave behind; empty if all is well.
  [[nodiscard]] std::string leftovers() const;
  // The folder in memory that belongs to the state directory.
  [[nodiscard]] std::string live_folder() const;

 private:
  std::filesystem::path folder_;
  std::string top_, sections_;
  pid_t edge_ = 0;
  int out_ = -1;
  std::string out_text_;
  std::uint16_t port_ = 0;
};

// A UDP socket on loopback.
class Peer {
 public:
  Peer();
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void send(std::uint16_t port, std::string_view message) const;
  // The next datagram whose first line begins so; others are skipped. Empty: none within ten seconds.
  [[nodiscard]] std::string receive(std::string_view beginning) const;

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

// Lines of a header in a message, as they stand there.
[[nodiscard]] std::string header_lines(std::string_view message, std::string_view name);
// A response to a request as received; `tag` for To if it is not empty.
[[nodiscard]] std::string respond(std::string_view request, std::string_view status, std::string_view tag);

}  // namespace perdure::app
