#pragma once
// Named iterators of a callback over the header lines or the body lines of its message.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::script {

class TextIterators {
 public:
  static constexpr std::size_t iterators_max = 4;  // as in Kamailio
  // Where one stands; before_first before the first next().
  struct Position {
    static constexpr std::size_t before_first = static_cast<std::size_t>(-1);
    std::string name;
    std::size_t index = before_first;
  };
  // Begins; one of that name begins anew. Null: iterators_max.
  Position* start(std::string_view name);
  [[nodiscard]] Position* find(std::string_view name);
  bool end(std::string_view name);
  void clear() { all_.clear(); }

 private:
  std::vector<Position> all_;
};

}  // namespace perdure::script
