#pragma once
// A supervisor in a folder of its own, whose engines are fake ones.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>

#include "edge/supervisor.hpp"

namespace perdure::edge {

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    char name[] = "/tmp/perdure-supervisor-XXXXXX";
    folder = mkdtemp(name);
    set_mode("normal");
    options.binary = *Binary::own("edge_tests");
    options.engine_arguments = {"--fake-engine", folder};
    options.pid_directory = folder;
    options.watchdog = 300ms;
  }
  ~SupervisorTest() override {
    supervisor.reset();
    std::filesystem::remove_all(folder);
  }
  void set_mode(const char* mode) { std::ofstream(folder + "/mode") << mode; }
  [[nodiscard]] bool has(const char* file) const { return std::filesystem::exists(folder + "/" + file); }
  [[nodiscard]] std::string text(const char* file) const {
    std::ifstream in(folder + "/" + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Result<> start() {
    std::vector<int> none;
    auto sockets = UdpSockets::open({*SocketAddress::parse("127.0.0.1", 0)}, 1, 8 << 20, none);
    auto region = SharedRegion::create(1);
    if (!sockets || !region) return fail("no sockets");
    supervisor = std::make_unique<Supervisor>(context, options, std::move(*sockets), std::move(*region));
    return supervisor->start();
  }
  // Runs the edge until it is so, or ten seconds have gone.
  bool until(const std::function<bool()>& so) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!so() && std::chrono::steady_clock::now() < deadline) context.run_one_for(20ms);
    return so();
  }
  bool until_spare() {
    return until([&] { return has("spare.pid"); });
  }
  SupervisorStatus status() { return supervisor->status(); }

  std::string folder;
  boost::asio::io_context context;
  SupervisorOptions options;
  std::unique_ptr<Supervisor> supervisor;
};

}  // namespace perdure::edge
