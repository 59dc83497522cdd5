#include "script/text_iterators.hpp"

#include <algorithm>

namespace perdure::script {

TextIterators::Position* TextIterators::start(std::string_view name) {
  end(name);
  if (all_.size() >= iterators_max) return nullptr;
  return &all_.emplace_back(Position{std::string(name), Position::before_first});
}

TextIterators::Position* TextIterators::find(std::string_view name) {
  const auto found = std::ranges::find(all_, name, &Position::name);
  return found == all_.end() ? nullptr : &*found;
}

bool TextIterators::end(std::string_view name) {
  return std::erase_if(all_, [&](const Position& one) { return one.name == name; }) > 0;
}

}  // namespace perdure::script
