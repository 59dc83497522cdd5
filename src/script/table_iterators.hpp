#pragma once
// Iterators over hash tables, as scripts use them by name. An iterator holds no lock: it takes down the keys of a shard when it comes to
// it, and passes over those that are gone when their turn comes.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "htable/table.hpp"

namespace perdure::script {

class TableIterator {
 public:
  TableIterator(std::string name, htable::Table& table) : name_(std::move(name)), table_(&table) {}
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] htable::Table& table() const { return *table_; }

  // False: there is no further entry; then it begins anew.
  bool next(Time now);
  // Where it stands: false before the first, after the last and when the entry is gone.
  [[nodiscard]] bool has_entry() const { return has_entry_; }
  [[nodiscard]] const std::string& key() const { return key_; }
  // As it was when next() came to it, or as set through the iterator.
  [[nodiscard]] const perdure::Value& value() const { return value_; }
  void set_value(perdure::Value value) { value_ = std::move(value); }
  void forget_entry() { has_entry_ = false; }

 private:
  std::string name_;
  htable::Table* table_;
  std::size_t next_shard_ = 0;
  std::vector<std::string> keys_;  // of the shard, still to come
  bool has_entry_ = false;
  std::string key_;
  perdure::Value value_;
};

class TableIterators {
 public:
  static constexpr std::size_t iterators_max = 16;
  // Begins; one of that name begins anew. Null: iterators_max.
  TableIterator* start(std::string_view name, htable::Table& table);
  [[nodiscard]] TableIterator* find(std::string_view name);
  bool end(std::string_view name);

 private:
  std::vector<TableIterator> all_;
};

}  // namespace perdure::script
