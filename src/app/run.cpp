#include "app/run.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "app/hand_over.hpp"
#include "app/program.hpp"
#include "app/server.hpp"
#include "base/logging.hpp"

namespace perdure::app {

int run_server(const Config& config, const std::string& text, const std::string& program) {
  log::open("edge", config.log);
  (void)std::signal(SIGPIPE, SIG_IGN);
  return Server(config, text, program).run();
}

int take_over_server(int channel, const std::string& program) {
  constexpr Duration hand_over_deadline = 10s;
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)fcntl(channel, F_SETFD, FD_CLOEXEC);
  // The watchdog of the service manager is this process's from now on.
  if (std::getenv("WATCHDOG_PID")) (void)setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  auto predecessor = std::make_unique<edge::DescriptorChannel>(channel);
  const auto failed = [&](const std::string& why) {
    (void)predecessor->send(word_failed, why);
    return 1;
  };
  auto taken = receive_hand_over(*predecessor, hand_over_deadline);
  if (!taken) return failed(taken.error().message);
  const auto text = read_whole(taken->configuration);
  if (!text) return failed(text.error().message);
  const auto config = taken->config_path.empty() ? embedded_config() : parse_config(*text, taken->config_path);
  if (!config) return failed(config.error().message);
  log::open("edge", config->log);
  return Server(*config, *text, program).take_over(std::move(*taken), std::move(predecessor));
}

}  // namespace perdure::app
