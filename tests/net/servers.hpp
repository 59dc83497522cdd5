#pragma once
// Real servers for the tests, each in a temporary folder of its own, on loopback, as an unprivileged user.
#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
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

class Redis {
 public:
  explicit Redis(std::string password = {}) : password_(std::move(password)), port_(free_port()) {}
  void start();
  void kill() { process.stop(SIGKILL); }
  [[nodiscard]] std::string url() const {
    return "redis://" + (password_.empty() ? "" : ":" + password_ + "@") + "127.0.0.1:" + std::to_string(port_);
  }

  Process process;

 private:
  TemporaryFolder folder_;
  std::string password_;
  int port_;
};

// An HTTP server in threads of the test: each request goes to `answer`, whose text goes out as it is; then the connection is closed.
class HttpServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  explicit HttpServer(Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  [[nodiscard]] std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  // Connections that are open now, and the most that ever were.
  [[nodiscard]] int open() const { return open_; }
  [[nodiscard]] int most() const { return most_; }

  [[nodiscard]] static std::string response(int status, const std::string& body, const std::string& headers = {});

 private:
  void serve(int socket);

  Answer answer_;
  int socket_ = -1, port_ = 0;
  std::atomic<bool> ending_{false};
  std::atomic<int> open_{0}, most_{0};
  std::vector<std::thread> threads_;
  std::thread listener_;
};

}  // namespace perdure::net
