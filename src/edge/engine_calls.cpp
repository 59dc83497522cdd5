#include "edge/engine_calls.hpp"

#include <utility>

namespace perdure::edge {

using std::chrono::steady_clock;

namespace {
constexpr Duration call_deadline = 5s;
}

void EngineCalls::add(std::string json, Done done, Channel* channel) {
  const std::uint64_t id = next_++;
  if (channel) (void)channel->send(Message::RpcRequest, Channel::with_id(id, json));
  calls_.emplace(id, Call{std::move(json), std::move(done), steady_clock::now() + call_deadline});
}

void EngineCalls::ask_again(Channel& channel) {
  for (const auto& [id, call] : calls_) (void)channel.send(Message::RpcRequest, Channel::with_id(id, call.json));
}

void EngineCalls::on_answer(std::string_view payload) {
  const auto parts = Channel::split_id(payload);
  if (!parts) return;
  const auto found = calls_.find(parts->first);
  if (found == calls_.end()) return;
  const auto done = std::move(found->second.done);
  calls_.erase(found);
  done(std::string(parts->second));
}

void EngineCalls::expire(steady_clock::time_point now) {
  for (auto at = calls_.begin(); at != calls_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    const auto done = std::move(at->second.done);
    at = calls_.erase(at);
    done(fail("the engine did not answer within 5 seconds"));
  }
}

void EngineCalls::fail_all(const std::string& why) {
  const auto calls = std::exchange(calls_, {});
  for (const auto& [id, call] : calls) call.done(fail(why));
}

}  // namespace perdure::edge
