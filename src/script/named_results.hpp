#pragma once
// What one run of a callback has got from other services, by name.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::script {

template <class T>
class NamedResults {
 public:
  void set(std::string_view name, std::shared_ptr<const T> result) {
    (void)remove(name);
    results_.emplace_back(name, std::move(result));
  }
  // False: there was none.
  bool remove(std::string_view name) {
    return std::erase_if(results_, [&](const auto& one) { return one.first == name; }) > 0;
  }
  void clear() { results_.clear(); }
  // Null if there is no such result.
  [[nodiscard]] const T* find(std::string_view name) const {
    for (const auto& [known, result] : results_)
      if (known == name) return result.get();
    return nullptr;
  }

 private:
  std::vector<std::pair<std::string, std::shared_ptr<const T>>> results_;  // a handful
};

}  // namespace perdure::script
