#include "app/service_manager.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>

#include "base/logging.hpp"

namespace perdure::app {
namespace {

void say(const std::string& text) {
  if (sd_notify(0, text.c_str()) < 0) log::warning("the service manager cannot be told: {}", text);
}

std::uint64_t monotonic_us() {
  timespec now{};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

}  // namespace

std::vector<InheritedDescriptor> ServiceManager::take_descriptors() {
  std::vector<InheritedDescriptor> found;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    found.push_back({SD_LISTEN_FDS_START + i, names && names[i] ? names[i] : ""});
    if (names) std::free(names[i]);
  }
  std::free(names);
  return found;
}

void ServiceManager::ready(const std::string& status) {
  say(fmt::format("READY=1\nSTATUS={}", status));
}

void ServiceManager::reloading() {
  say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reloading", monotonic_us()));
}

void ServiceManager::stopping() {
  say("STOPPING=1\nSTATUS=Stopping");
}

void ServiceManager::status(const std::string& text) {
  say(fmt::format("STATUS={}", text));
}

void ServiceManager::main_process(pid_t pid) {
  say(fmt::format("MAINPID={}", pid));
}

void ServiceManager::keep(const std::string& name, int descriptor) {
  const auto text = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name);
  if (sd_pid_notify_with_fds(0, 0, text.c_str(), &descriptor, 1) < 0) log::warning("the service manager does not take descriptor {}", name);
}

void ServiceManager::forget(const std::string& name) {
  say(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name));
}

void ServiceManager::start_watchdog() {
  std::uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) > 0) feed_watchdog(Duration(static_cast<std::int64_t>(interval_us / 2)));
}

void ServiceManager::feed_watchdog(Duration interval) {
  say("WATCHDOG=1");
  watchdog_.expires_after(interval);
  watchdog_.async_wait([this, interval](boost::system::error_code error) {
    if (!error) feed_watchdog(interval);
  });
}

}  // namespace perdure::app
