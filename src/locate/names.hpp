#pragma once
// Whoever asks the DNS, as callers see it: what is known at once, and a way to have the rest found out elsewhere.
#include <functional>
#include <memory>
#include <vector>

#include "locate/servers.hpp"

namespace perdure::locate {

class Names : public Answers {
 public:
  struct Search {
    std::vector<Destination> destinations{};
    Reach reach{};
    Policy policy{};
    Duration timeout{};
    AnswerSet known{};        // from a search before
    std::uint32_t asker = 0;  // worker: each may have so many searches at a time
    // Called once, in another thread, with all answers that locate() asks for on its way. Locating with them never leaves anything
    // missing if the time was over.
    std::function<void(std::shared_ptr<AnswerSet>)> done{};
  };
  // Never blocks. False: too many searches are open already; `done` is not called.
  [[nodiscard]] virtual bool search(Search search) = 0;
};

}  // namespace perdure::locate
