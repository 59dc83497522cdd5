#include "app/server_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/checksum.hpp"

namespace perdure::app {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// In a process group of its own, so that a test can signal all of it. `out` gets the reading end of its standard output.
pid_t spawn(const std::vector<std::string>& arguments, const std::string& err, int& out) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return -1;
  std::vector<std::string> texts = {PERDURE_BINARY};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    (void)setpgid(0, 0);
    (void)dup2(pipe_ends[1], STDOUT_FILENO);
    const int file = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)dup2(file, STDERR_FILENO);
    execv(PERDURE_BINARY, pointers.data());
    _exit(127);
  }
  (void)setpgid(pid, pid);
  close(pipe_ends[1]);
  out = pipe_ends[0];
  return pid;
}

// Appends what comes until `until` is in the text, the end, or a minute has passed. False: the last two.
bool read_until(int descriptor, std::string& text, std::string_view until) {
  const auto end = steady_clock::now() + std::chrono::minutes(1);
  while (until.empty() || text.find(until) == std::string::npos) {
    pollfd waiting{descriptor, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - steady_clock::now()).count();
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return false;
    char buffer[4096];
    const auto count = ::read(descriptor, buffer, sizeof buffer);
    if (count <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return true;
}

int reap(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return -1000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

Finished run_perdure(const std::vector<std::string>& arguments) {
  char err[] = "/tmp/perdure-err-XXXXXX";
  close(mkstemp(err));
  int out = -1;
  const pid_t pid = spawn(arguments, err, out);
  Finished finished;
  (void)read_until(out, finished.out, "");
  (void)kill(pid, SIGKILL);  // without effect on one that has closed its output by ending
  close(out);
  finished.code = reap(pid);
  finished.err = read_file(err);
  (void)unlink(err);
  return finished;
}

Sandbox::Sandbox() {
  char folder[] = "/tmp/perdure-app-XXXXXX";
  folder_ = mkdtemp(folder);
  configure();
}

Sandbox::~Sandbox() {
  if (edge_ > 0) {
    (void)kill(-edge_, SIGKILL);
    (void)reap(edge_);
    close(out_);
  }
  std::error_code ignored;
  fs::remove_all(live_folder(), ignored);
  fs::remove_all(folder_, ignored);
}

void Sandbox::write(std::string_view name, std::string_view text) const {
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::string Sandbox::read(std::string_view name) const {
  return read_file(folder_ / name);
}

void Sandbox::configure(std::string_view top, std::string_view sections) {
  top_ = top;
  sections_ = sections;
  write("perdure.toml", fmt::format("listen = [\"udp:127.0.0.1:{}\"]\nworkers = 2\n{}\n[state]\ndirectory = \"state\"\n"
                                    "max_bytes = \"32MiB\"\n{}\n",
                                    port_, top_, sections_));
}

bool Sandbox::start() {
  edge_ = spawn({"run", "-c", config()}, path("stderr"), out_);
  out_text_.clear();
  if (!read_until(out_, out_text_, "\n")) return false;
  const auto colon = out_text_.rfind(':');
  if (!out_text_.starts_with("ready udp:127.0.0.1:") || colon == std::string::npos) return false;
  port_ = static_cast<std::uint16_t>(std::stoi(out_text_.substr(colon + 1)));
  configure(top_, sections_);
  return true;
}

bool Sandbox::start_and_stop(std::chrono::microseconds delay) {
  edge_ = spawn({"run", "-c", config()}, path("stderr"), out_);
  const auto end = steady_clock::now() + std::chrono::seconds(20);
  while (!fs::exists(path("state/control.sock")) && steady_clock::now() < end) std::this_thread::yield();
  std::this_thread::sleep_for(delay);
  send_signal(SIGTERM);
  send_signal(SIGTERM);
  return finish().code == 0;
}

void Sandbox::send_signal(int number) const {
  (void)kill(edge_, number);
}

Finished Sandbox::finish() {
  Finished finished;
  finished.out = out_text_;
  (void)read_until(out_, finished.out, "");
  finished.code = reap(std::exchange(edge_, 0));
  close(out_);
  finished.err = read("stderr");
  return finished;
}

Finished Sandbox::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin() + 1, {"-c", config()});
  return run_perdure(arguments);
}

nlohmann::json Sandbox::status() const {
  const auto finished = command({"status", "--json"});
  return nlohmann::json::parse(finished.out, nullptr, false);
}

std::string Sandbox::live_folder() const {
  return fmt::format("/dev/shm/perdure-{:016x}", checksum(path("state")));
}

std::string Sandbox::leftovers() const {
  std::string found;
  for (const char* name : {"state/control.sock", "state/edge.pid", "state/engine.pid", "state/spare.pid"})
    if (fs::exists(folder_ / name)) found += std::string(name) + " ";
  if (fs::exists(live_folder())) found += live_folder() + " ";
  // Whoever still has the state directory or a socket would hold this folder's file open; engines carry its path as an argument.
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && name != std::to_string(getpid()) &&
        read_file(entry.path() / "cmdline").find(folder_.string()) != std::string::npos)
      found += "process " + name + " ";
  }
  return found;
}

Peer::Peer() : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length), 0);
  EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length), 0);
  port_ = ntohs(address.sin_port);
}

Peer::~Peer() {
  close(descriptor_);
}

void Peer::send(std::uint16_t port, std::string_view message) const {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  EXPECT_EQ(sendto(descriptor_, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address),
            static_cast<ssize_t>(message.size()));
}

std::string Peer::receive(std::string_view beginning) const {
  const auto end = steady_clock::now() + std::chrono::seconds(10);
  std::string message(65536, '\0');
  for (;;) {
    pollfd waiting{descriptor_, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - steady_clock::now()).count();
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) <= 0) return "";
    const auto count = recv(descriptor_, message.data(), message.size(), 0);
    if (count > 0 && std::string_view(message).starts_with(beginning)) return message.substr(0, static_cast<std::size_t>(count));
  }
}

std::string header_lines(std::string_view message, std::string_view name) {
  std::string lines;
  std::size_t begin = 0;
  while (message.size() >= 2 && begin < message.size()) {
    const auto end = std::min(message.find("\r\n", begin), message.size() - 2) + 2;
    if (message.substr(begin).starts_with(fmt::format("{}:", name))) lines += message.substr(begin, end - begin);
    begin = end;
  }
  return lines;
}

std::string respond(std::string_view request, std::string_view status, std::string_view tag) {
  auto to = header_lines(request, "To");
  if (!tag.empty()) to.insert(to.size() - 2, fmt::format(";tag={}", tag));
  return fmt::format("SIP/2.0 {}\r\n{}{}{}{}{}Content-Length: 0\r\n\r\n", status, header_lines(request, "Via"),
                     header_lines(request, "From"), to, header_lines(request, "Call-ID"), header_lines(request, "CSeq"));
}

}  // namespace perdure::app
