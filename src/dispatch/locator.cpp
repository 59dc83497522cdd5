#include "dispatch/locator.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "sip/uri.hpp"

namespace perdure::dispatch {

Locator::Locator(Dispatcher& dispatcher, const proxy::ProxyOptions& options) : dispatcher_(dispatcher), locating_(options.locating) {
  for (const auto& socket : options.sockets)
    if (socket.transport != Transport::Ws && socket.transport != Transport::Wss) reach_.add(socket.transport, socket.address.family);
}

locate::Servers Locator::find(const locate::Destination& destination, locate::Answers& answers) const {
  constexpr std::uint64_t always_the_same = 0;  // probes do not share the load
  return locate::locate(destination, reach_, locating_.policy, answers, always_the_same);
}

void Locator::on_tick() {
  if (!locating_.names) return;
  Dispatcher::Servers now;
  const auto list = dispatcher_.list();
  for (const auto& set : list->sets)
    for (const Destination& destination : set->destinations) {
      if (destination.address.family != Family::None || now.contains(destination.uri)) continue;
      const auto uri = sip::Uri::parse(destination.uri);
      const auto wanted = uri ? locate::Destination::of(*uri) : std::nullopt;
      if (!wanted) continue;
      auto found = find(*wanted, *locating_.names);
      const auto answers = take_answers(destination.uri);
      if (!found.missing.empty() && answers) found = find(*wanted, *answers);
      if (found.missing.empty()) {
        now[destination.uri] = std::move(found.servers);
        continue;
      }
      if (const auto before = servers_.find(destination.uri); before != servers_.end()) now.insert(*before);
      search(destination.uri, *wanted);
    }
  if (searches_.size() > list->size()) searches_.clear();  // of destinations that have left the list, too
  if (now == servers_) return;
  servers_ = std::move(now);
  dispatcher_.set_servers(servers_);
}

std::shared_ptr<locate::AnswerSet> Locator::take_answers(const std::string& uri) {
  const auto found = searches_.find(uri);
  if (found == searches_.end()) return nullptr;
  std::shared_ptr<locate::AnswerSet> answers;
  {
    const std::scoped_lock lock(found->second->mutex);
    answers = found->second->answers;
  }
  if (answers) searches_.erase(found);
  return answers;
}

void Locator::search(const std::string& uri, const locate::Destination& destination) {
  if (searches_.contains(uri)) return;
  const auto search = std::make_shared<Search>();
  const auto done = [search](std::shared_ptr<locate::AnswerSet> answers) {
    answers->complete();
    const std::scoped_lock lock(search->mutex);
    search->answers = std::move(answers);
  };
  if (locating_.names->search(
          {.destinations = {destination}, .reach = reach_, .policy = locating_.policy, .timeout = locating_.timeout, .done = done}))
    searches_.emplace(uri, search);
}

}  // namespace perdure::dispatch
