#include "edge/engine_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace perdure::edge {
namespace {

// In the child, between fork and exec: nothing but system calls.
void start_clean() {
  (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // accepted connections, for one, come without the flag

  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) (void)::signal(number, SIG_DFL);
}

[[noreturn]] void become_engine(pid_t parent, char* const* arguments, int channel, const EngineCommand& command) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  start_clean();
  (void)fcntl(channel, F_SETFD, 0);
  for (const auto& [option, descriptors] : command.descriptors)
    for (const int descriptor : descriptors) (void)fcntl(descriptor, F_SETFD, 0);
  execv(command.binary->exec_path().c_str(), arguments);
  _exit(127);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

EngineProcess::EngineProcess(boost::asio::io_context& context, pid_t process_id, int pidfd, int channel_descriptor,
                             std::shared_ptr<const Binary> program)
    : pid(process_id),
      binary(std::move(program)),
      death(context, pidfd),
      channel(channel_descriptor),
      readable(context, channel_descriptor) {}

Result<std::unique_ptr<EngineProcess>> EngineProcess::spawn(boost::asio::io_context& context, const EngineCommand& command) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail(fmt::format("socketpair: {}", std::strerror(errno)));
  std::vector<std::string> texts = {command.binary->path()};
  texts.insert(texts.end(), command.arguments.begin(), command.arguments.end());
  for (const auto& [option, descriptors] : command.descriptors) {
    if (descriptors.empty()) continue;
    texts.push_back(option);
    texts.push_back(fmt::format("{}", fmt::join(descriptors, ",")));
  }
  texts.emplace_back("--channel");
  texts.push_back(std::to_string(pair[1]));
  const auto arguments = pointers_to(texts);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become_engine(parent, arguments.data(), pair[1], command);
  const int error = errno;
  close(pair[1]);
  if (pid < 0) {
    close(pair[0]);
    return fail(fmt::format("fork: {}", std::strerror(error)));
  }
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    const int why = errno;
    (void)::kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    close(pair[0]);
    return fail(fmt::format("pidfd_open: {}", std::strerror(why)));
  }
  return std::make_unique<EngineProcess>(context, pid, pidfd, pair[0], command.binary);
}

void EngineProcess::kill() const {
  if (!gone) (void)::kill(pid, SIGKILL);
}

void EngineProcess::reap() {
  if (!std::exchange(gone, true)) (void)waitpid(pid, nullptr, 0);
}

Result<pid_t> spawn_edge(const Binary& binary, std::vector<std::string> arguments, int descriptor) {
  arguments.insert(arguments.begin(), binary.path());
  const auto pointers = pointers_to(arguments);
  const pid_t pid = fork();
  if (pid < 0) return fail(fmt::format("fork: {}", std::strerror(errno)));
  if (pid > 0) return pid;
  start_clean();
  (void)fcntl(descriptor, F_SETFD, 0);
  execv(binary.exec_path().c_str(), pointers.data());
  _exit(127);
}

}  // namespace perdure::edge
