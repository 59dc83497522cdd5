#pragma once
// Keeps known where destinations with host names are (RFC 3263): for probes, and for ds_is_from_list. Requests to them find their servers
// themselves. In the thread of one worker.
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/time.hpp"
#include "dispatch/dispatcher.hpp"
#include "locate/names.hpp"
#include "proxy/proxy.hpp"

namespace perdure::dispatch {

class Locator {
 public:
  // All outlive it.
  Locator(Dispatcher& dispatcher, const proxy::ProxyOptions& options);

  // About once a second. What the cache has forgotten is asked again; until there is an answer the servers stay as they were.
  void on_tick();

 private:
  // What name servers have said, in their thread. A cache may keep it for no time at all.
  struct Search {
    std::mutex mutex;
    std::shared_ptr<locate::AnswerSet> answers;  // null: it is open
  };
  [[nodiscard]] locate::Servers find(const locate::Destination& destination, locate::Answers& answers) const;
  [[nodiscard]] std::shared_ptr<locate::AnswerSet> take_answers(const std::string& uri);
  void search(const std::string& uri, const locate::Destination& destination);

  Dispatcher& dispatcher_;
  const proxy::Locating& locating_;
  locate::Reach reach_;
  Dispatcher::Servers servers_;
  std::unordered_map<std::string, std::shared_ptr<Search>> searches_;  // by URI
};

}  // namespace perdure::dispatch
