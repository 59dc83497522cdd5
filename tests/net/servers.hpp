#pragma once
// Real servers for the tests, each in a temporary folder of its own, on loopback, as an unprivileged user.
#include <signal.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace perdure::net {

// 127.0.0.1, free a moment ago.
[[nodiscard]] int free_port();

// Waits until `condition` holds; false after `seconds`.
[[nodiscard]] bool eventually(const std::function<bool()>& condition, int seconds = 60);

// A folder that the unprivileged user may write to, gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string path(const std::string& name = {}) const;

 private:
  std::string path_;
};

// A program, without root's rights. It dies with the test.
class Process {
 public:
  Process() = default;
  ~Process() { stop(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What it says goes to the file `log`.
  void start(const std::vector<std::string>& command, const std::string& log);
  // Its exit status.
  int wait();
  void signal(int number) const;
  void stop(int number);
  [[nodiscard]] bool running() const { return id_ > 0; }

 private:
  pid_t id_ = -1;
};

// start() and kill() may be called in turn; the port stays the same.
class Postgres {
 public:
  Postgres();
  void start();
  void kill() { process.stop(SIGQUIT); }  // its children go with it
  [[nodiscard]] std::string url() const { return "postgres://tester@127.0.0.1:" + std::to_string(port_) + "/postgres"; }

  Process process;

 private:
  TemporaryFolder folder_;
  std::string programs_;
  int port_;
};

class MariaDb {
 public:
  MariaDb();
  void start();
  void kill() { process.stop(SIGKILL); }
  [[nodiscard]] std::string url() const { return "mysql://tester:se%25cret@127.0.0.1:" + std::to_string(port_) + "/test"; }

  Process process;

 private:
  TemporaryFolder folder_;
  int port_;
};

}  // namespace perdure::net
