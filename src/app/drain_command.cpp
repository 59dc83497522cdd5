#include "app/drain_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "admin/rpc_client.hpp"
#include "app/config.hpp"
#include "app/table.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::RpcResult;
using Clock = std::chrono::steady_clock;

constexpr Duration answer_deadline = 15s;
constexpr std::chrono::milliseconds poll_interval{500};
// A restart of the server in the meantime is nothing to give up for.
constexpr std::chrono::seconds unreachable_max{60};
constexpr int deadline_passed = 3;

std::uint64_t number(const Json& object, const char* name) {
  return object.value(name, std::uint64_t{0});
}

// What is left, and how fast it has fallen since the line before.
std::string progress_text(const Json& now, const std::optional<Json>& before, double seconds) {
  std::string connections;
  for (const auto& [transport, count] : now.at("connections").items())
    if (count != 0) connections += fmt::format(", {} {}", count.get<std::uint64_t>(), transport);
  const auto unanswered = number(now, "unanswered");
  std::string speed;
  if (before && seconds > 0)
    speed = fmt::format(" ({:+.1f}/s)", (static_cast<double>(unanswered) - static_cast<double>(number(*before, "unanswered"))) / seconds);
  return fmt::format("{} without final response{}, {} transactions{}", unanswered, speed, number(now, "transactions"), connections);
}

class Waiting {
 public:
  Waiting(const ClientOptions& options, std::optional<Duration> deadline) : options_(options), deadline_(deadline) {}

  int wait() {
    while (true) {
      const auto progress = ask();
      if (progress) {
        reached_ = Clock::now();
        if (!progress->at("drain").value("on", false))
          return complain(options_, {admin::rpc_code::failed, "somebody has ended the draining"});
        show(*progress);
        if (number(*progress, "unanswered") == 0) return finish(*progress);
      } else if (Clock::now() - reached_ > unreachable_max) {
        return complain(options_, progress.error());
      }
      if (deadline_ && Clock::now() - begin_ > *deadline_) {
        (void)complain(options_, {admin::rpc_code::failed, "the deadline has passed; the server drains on"});
        return deadline_passed;
      }
      std::this_thread::sleep_for(poll_interval);
    }
  }

 private:
  RpcResult ask() const {
    auto client = connect(options_);
    if (!client) return admin::rpc_fail(client.error().message);
    return client->call("drain.progress", Json::array(), answer_deadline);
  }

  // On a terminal one line that changes, else a line every five seconds.
  void show(const Json& progress) {
    const auto now = Clock::now();
    const bool terminal = isatty(STDERR_FILENO);
    if (before_ && !terminal && now - shown_ < std::chrono::seconds(5)) return;
    fmt::print(stderr, "{}{}{}", terminal ? "\r\x1b[K" : "",
               progress_text(progress, before_, std::chrono::duration<double>(now - shown_).count()), terminal ? "" : "\n");
    std::fflush(stderr);
    before_ = progress;
    shown_ = now;
  }

  int finish(const Json& progress) const {
    if (isatty(STDERR_FILENO)) fmt::print(stderr, "\n");
    const auto waited = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin_).count();
    if (options_.json)
      fmt::print("{}\n", admin::to_text({{"drained", true}, {"waited_us", waited}, {"left", progress}}, 2));
    else
      fmt::print("drained in {}: no call waits for an answer\n", duration_text(waited));
    return 0;
  }

  const ClientOptions& options_;
  const std::optional<Duration> deadline_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point reached_ = begin_, shown_ = begin_;
  std::optional<Json> before_;
};

int change(const ClientOptions& options, const char* method, Json params, bool print) {
  auto client = connect(options);
  if (!client) return complain(options, {admin::rpc_code::failed, client.error().message});
  const RpcResult answer = client->call(method, std::move(params), answer_deadline);
  if (!answer) return complain(options, answer.error());
  if (!print) return 0;
  fmt::print("{}\n", options.json ? admin::to_text(*answer, 2) : drain_text(*answer));
  return 0;
}

}  // namespace

std::string drain_text(const Json& drain) {
  if (!drain.value("on", false)) return "new dialogs are taken";
  const auto retry_after = number(drain, "retry_after");
  const auto answer = fmt::format("{}{}", number(drain, "code"), retry_after ? fmt::format(" with Retry-After {}", retry_after) : "");
  const char* const what = drain.value("registrations", false) ? "new dialogs and registrations" : "new dialogs";
  return drain.value("by_script", false) ? fmt::format("the script decides about {}, by default {}", what, answer)
                                         : fmt::format("{} get {}", what, answer);
}

int drain_server(const ClientOptions& options, const DrainOptions& drain) {
  std::optional<Duration> deadline;
  if (!drain.deadline.empty()) {
    const auto parsed = parse_duration(drain.deadline);
    if (!parsed) return complain(options, {admin::rpc_code::invalid_params, "--deadline: " + parsed.error().message});
    deadline = *parsed;
  }
  const int changed = change(
      options, "drain",
      {{"code", drain.code}, {"retry_after", drain.retry_after_s}, {"registrations", drain.registrations}, {"by_script", drain.by_script}},
      !drain.wait || !options.json);
  if (changed != 0 || !drain.wait) return changed;
  return Waiting(options, deadline).wait();
}

int undrain_server(const ClientOptions& options) {
  return change(options, "undrain", Json::array(), true);
}

}  // namespace perdure::app
