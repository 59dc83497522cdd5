#pragma once
// A DNS in the test's hand: it answers when the test says so.
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "locate/names.hpp"

namespace perdure::locate {

class FakeNames : public Names {
 public:
  void add_address(const std::string& name, std::string_view address) {
    auto& answer = zone_["A " + name];
    answer.kind = Answer::Kind::Records;
    answer.addresses.push_back(*SocketAddress::parse(address, 0));
  }
  // `priority` decides the order.
  void add_service(const std::string& name, std::uint16_t priority, std::uint16_t port, const std::string& target) {
    auto& answer = zone_["SRV " + name];
    answer.kind = Answer::Kind::Records;
    answer.services.push_back({priority, 1, port, target});
  }

  AnswerPointer find(const Question& question) override {
    const auto found = known_.find(key(question));
    return found == known_.end() ? nullptr : found->second;
  }
  bool search(Search search) override {
    if (refuses) return false;
    open.push_back(std::move(search));
    return true;
  }

  // Ends the searches that are open. `keep`: what they found out is known from then on.
  void answer(bool keep = true) {
    for (auto& search : std::exchange(open, {})) {
      auto answers = std::make_shared<AnswerSet>(search.known);
      for (const auto& destination : search.destinations)
        while (true) {
          const auto missing = locate(destination, search.reach, search.policy, *answers, 1).missing;
          if (missing.empty()) break;
          for (const auto& question : missing) {
            auto found = look_up(question);
            if (keep) known_[key(question)] = found;
            answers->put(question, std::move(found));
          }
        }
      search.done(std::move(answers));
    }
  }
  void forget() { known_.clear(); }

  std::vector<Search> open;
  bool refuses = false;

 private:
  static std::string key(const Question& question) { return std::string(name(question.type)) + " " + question.name; }
  AnswerPointer look_up(const Question& question) {
    Answer none;
    none.kind = Answer::Kind::None;
    const auto found = zone_.find(key(question));
    return std::make_shared<const Answer>(found == zone_.end() ? none : found->second);
  }
  std::map<std::string, Answer> zone_;
  std::map<std::string, AnswerPointer> known_;
};

}  // namespace perdure::locate
