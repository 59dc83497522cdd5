#pragma once
// An engine on real sockets with routes in C++, and what the edge holds for it: sockets, receive region, a folder for its state.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.hpp"
#include "engine/user_agents.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::engine {

// Forwards to where the Request-URI says. The user part of an INVITE can ask for more: "abort" and "stall" hit the engine while it works
// on the message, "late-abort" when the branch has failed.
class Routes : public proxy::RouteRunner {
 public:
  bool run(proxy::RoutingContext& context, proxy::RouteKind kind, std::string_view name) override {
    if (kind == proxy::RouteKind::Failure && name == "abort") std::abort();
    if (kind != proxy::RouteKind::Request) return true;
    const auto method = context.message->method();
    if (method == sip::Method::Cancel) {
      context.relay();
      return true;
    }
    if (!context.message->to()->tag.empty()) {
      if (context.loose_route() > 0)
        context.relay();
      else if (method != sip::Method::Ack)
        context.send_reply(404, "Not Here");
      return true;
    }
    const std::string_view uri = context.message->request_uri();
    if (uri.starts_with("sip:abort@")) std::abort();
    if (uri.starts_with("sip:stall@"))
      while (true) pause();
    if (uri.starts_with("sip:late-abort@")) context.armed.failure = "abort";
    context.record_route = true;
    context.relay();
    return true;
  }
  void save_variables(proxy::RoutingContext&) override {}
};

class EngineTest : public testing::Test {
 protected:
  EngineTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "perdure-engine-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~EngineTest() override {
    engine.reset();
    for (const int socket : sockets) close(socket);
    std::filesystem::remove_all(folder);
  }

  // Sockets and region for that many workers.
  void open(std::uint32_t workers) {
    region = *edge::SharedRegion::create(workers);
    const int first = *net::open_udp_socket(loopback(0), 8 << 20, true);
    proxy_address = net::local_address(first);
    sockets.push_back(first);
    for (std::uint32_t i = 1; i < workers; ++i) sockets.push_back(*net::open_udp_socket(proxy_address, 8 << 20, false));

    proxy::LocalSocket socket;
    socket.address = proxy_address;
    socket.advertised_host = "127.0.0.1";
    socket.advertised_port = proxy_address.port;
    options.proxy.sockets = {socket};
    options.store.path = folder + "/state";
    options.store.max_bytes = 64 << 20;
    options.store.secret = 42;
    options.workers = workers;
    options.sockets = sockets;
    options.region = region.get();
    options.quarantine = folder + "/quarantine";
    options.make_runner = [](std::uint32_t) { return std::make_unique<Routes>(); };
  }

  // Another process, so another seed.
  [[nodiscard]] std::unique_ptr<Engine> make_engine() {
    ++options.seed;
    return std::make_unique<Engine>(options);
  }
  EngineReport start(edge::Death death = edge::Death::None) {
    engine = make_engine();
    const auto report = engine->attach(death);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : EngineReport{};
  }

  // An engine in a process of its own, to be killed. The test has one thread when it calls this.
  [[nodiscard]] pid_t start_process(edge::Death death = edge::Death::None) {
    const auto seed = ++options.seed;
    const pid_t process = fork();
    if (process != 0) return process;
    signal(SIGABRT, SIG_DFL);  // and no core file, no report of a sanitizer
    const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nothing, STDERR_FILENO);
    options.seed = seed;
    Engine child(options);
    if (!child.attach(death)) _exit(1);
    while (true) pause();
  }
  // The signal that ended it.
  static int end_of(pid_t process) {
    int status = 0;
    EXPECT_EQ(waitpid(process, &status, 0), process);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it exited with " << WEXITSTATUS(status);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  static int kill_and_wait(pid_t process) {
    kill(process, SIGKILL);
    return end_of(process);
  }

  // Stops the engine: what it has read is finished then. While it runs, only its workers may look at the slots.
  [[nodiscard]] bool stops_with_nothing_taken() {
    engine->stop();
    return region->taken().empty();
  }

  // False after a long time.
  template <class Condition>
  static bool eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  [[nodiscard]] std::vector<std::filesystem::path> quarantined(std::string_view suffix) const {
    std::vector<std::filesystem::path> found;
    if (!std::filesystem::exists(options.quarantine)) return found;
    for (const auto& entry : std::filesystem::directory_iterator(options.quarantine))
      if (entry.path().string().ends_with(suffix)) found.push_back(entry.path());
    return found;
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder;
  std::unique_ptr<edge::SharedRegion> region;
  std::vector<int> sockets;
  SocketAddress proxy_address;
  EngineOptions options;
  std::unique_ptr<Engine> engine;
};

}  // namespace perdure::engine
