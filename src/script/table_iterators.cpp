#include "script/table_iterators.hpp"

#include <algorithm>

namespace perdure::script {

bool TableIterator::next(Time now) {
  has_entry_ = false;
  for (;;) {
    while (!keys_.empty()) {
      key_ = std::move(keys_.back());
      keys_.pop_back();
      if (table_->get(key_, now, value_)) return has_entry_ = true;
    }
    if (next_shard_ == table_->shard_count()) {
      next_shard_ = 0;
      return false;
    }
    table_->list_keys(next_shard_++, now, keys_);
  }
}

TableIterator* TableIterators::start(std::string_view name, htable::Table& table) {
  end(name);
  if (all_.size() >= iterators_max) return nullptr;
  return &all_.emplace_back(std::string(name), table);
}

TableIterator* TableIterators::find(std::string_view name) {
  const auto found = std::ranges::find(all_, name, &TableIterator::name);
  return found == all_.end() ? nullptr : &*found;
}

bool TableIterators::end(std::string_view name) {
  return std::erase_if(all_, [&](const TableIterator& one) { return one.name() == name; }) > 0;
}

}  // namespace perdure::script
