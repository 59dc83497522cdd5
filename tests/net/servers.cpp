#include "net/servers.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

namespace perdure::net {
namespace {

constexpr const char* unprivileged = "nobody";

bool accepts(const sockaddr_in& address) {
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(one);
  return connected;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

bool listens(int port) {
  return accepts(loopback(port));
}

std::string newest_postgres() {
  std::vector<std::string> found;
  const std::filesystem::path versions = "/usr/lib/postgresql";
  if (std::filesystem::exists(versions))
    for (const auto& version : std::filesystem::directory_iterator(versions))
      if (std::filesystem::exists(version.path() / "bin/postgres")) found.push_back(version.path() / "bin");
  return found.empty() ? "" : *std::ranges::max_element(found);
}

}  // namespace

int free_port() {
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(one, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(one, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(one);
  return ntohs(address.sin_port);
}

bool eventually(const std::function<bool()>& condition, int seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

TemporaryFolder::TemporaryFolder() {
  char name[] = "/tmp/perdure-net-XXXXXX";
  EXPECT_NE(mkdtemp(name), nullptr);
  path_ = name;
  if (const auto* user = getpwnam(unprivileged); user && getuid() == 0) {
    EXPECT_EQ(chown(name, user->pw_uid, user->pw_gid), 0);
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::path(const std::string& name) const {
  return name.empty() ? path_ : path_ + "/" + name;
}

void Process::start(const std::vector<std::string>& command, const std::string& log) {
  ASSERT_FALSE(running());
  std::vector<std::string> words = {"setpriv", "--pdeathsig", "KILL"};
  if (getuid() == 0) words.insert(words.end(), {"--reuid", unprivileged, "--regid", "nogroup", "--clear-groups"});
  words.insert(words.end(), command.begin(), command.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  EXPECT_EQ(posix_spawnp(&id_, pointers[0], &actions, nullptr, pointers.data(), environ), 0) << command[0];
  posix_spawn_file_actions_destroy(&actions);
}

int Process::wait() {
  int status = 0;
  if (running()) ::waitpid(id_, &status, 0);
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Process::signal(int number) const {
  if (running()) ::kill(id_, number);
}

void Process::stop(int number) {
  signal(number);
  signal(SIGCONT);
  wait();
}

Postgres::Postgres() : programs_(newest_postgres()), port_(free_port()) {
  Process made;
  made.start({programs_ + "/initdb", "-D", folder_.path("data"), "-U", "tester", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"},
             folder_.path("log"));
  EXPECT_EQ(made.wait(), 0) << "is postgresql installed?";
}

void Postgres::start() {
  process.start({programs_ + "/postgres", "-D", folder_.path("data"), "-p", std::to_string(port_), "-h", "127.0.0.1", "-k", folder_.path(),
                 "-c", "fsync=off", "-c", "max_connections=30", "-c", "dynamic_shared_memory_type=mmap"},
                folder_.path("log"));
  ASSERT_TRUE(eventually([&] {
    Process ready;
    ready.start({programs_ + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)}, folder_.path("log"));
    return ready.wait() == 0;
  }));
}

MariaDb::MariaDb() : port_(free_port()) {
  Process made;
  made.start({"mariadb-install-db", "--no-defaults", "--datadir=" + folder_.path("data"), "--auth-root-authentication-method=normal",
              "--skip-test-db", "--skip-name-resolve"},
             folder_.path("log"));
  EXPECT_EQ(made.wait(), 0) << "is mariadb-server installed?";
  std::ofstream(folder_.path("init.sql")) << "CREATE DATABASE IF NOT EXISTS test;\n"
                                             "CREATE USER IF NOT EXISTS tester@'127.0.0.1' IDENTIFIED BY 'se%cret';\n"
                                             "GRANT ALL ON test.* TO tester@'127.0.0.1';\n";
}

void MariaDb::start() {
  process.start(
      {"mariadbd", "--no-defaults", "--datadir=" + folder_.path("data"), "--bind-address=127.0.0.1", "--port=" + std::to_string(port_),
       "--socket=" + folder_.path("sock"), "--pid-file=" + folder_.path("pid"), "--skip-name-resolve", "--innodb-buffer-pool-size=16M",
       "--innodb-flush-log-at-trx-commit=0", "--init-file=" + folder_.path("init.sql")},
      folder_.path("log"));
  ASSERT_TRUE(eventually([&] { return listens(port_); }));
}

void Redis::start() {
  std::vector<std::string> command = {"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--appendonly",
                                      "no",           "--dir",  folder_.path()};
  if (!password_.empty()) command.insert(command.end(), {"--requirepass", password_});
  process.start(command, folder_.path("log"));
  ASSERT_TRUE(eventually([&] { return listens(port_); })) << "is redis-server installed?";
}

HttpServer::HttpServer(Answer answer) : answer_(std::move(answer)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(socket_, 1024), 0);
  EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  listener_ = std::thread([this] {
    for (int one = 0; (one = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      if (ending_) {
        ::close(one);
        return;
      }
      threads_.emplace_back([this, one] { serve(one); });
    }
  });
}

HttpServer::~HttpServer() {
  ending_ = true;
  (void)accepts(loopback(port_));  // wakes the listener
  listener_.join();
  ::close(socket_);
  for (auto& thread : threads_) thread.join();
}

void HttpServer::serve(int socket) {
  const int now = ++open_;
  for (int most = most_; most < now && !most_.compare_exchange_weak(most, now);) continue;
  std::string request;
  const auto complete = [&] {
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto length = request.find("Content-Length: ");
    return length > end || request.size() - end - 4 >= std::stoul(request.substr(length + 16));
  };
  char bytes[4096];
  while (!complete()) {
    const auto got = ::recv(socket, bytes, sizeof bytes, 0);
    if (got <= 0) break;
    request.append(bytes, static_cast<std::size_t>(got));
  }
  const std::string out = complete() ? answer_(request) : std::string();
  --open_;  // before the client knows that it may ask for the next
  for (std::size_t sent = 0; sent < out.size();) {
    const auto more = ::send(socket, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (more <= 0) break;
    sent += static_cast<std::size_t>(more);
  }
  ::close(socket);
}

std::string HttpServer::response(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Reason of " + std::to_string(status) + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace perdure::net
