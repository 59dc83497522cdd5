#include "script/variables.hpp"

#include <algorithm>

#include "base/case.hpp"

namespace perdure::script {
namespace {

std::size_t size_of(const Value& value) {
  return value.is_number ? sizeof value.number : value.text.size();
}
std::size_t size_of(const Xavp& xavp) {
  std::size_t bytes = xavp.name.size() + (xavp.value ? size_of(*xavp.value) : 0);
  for (const auto& [field, value] : xavp.fields) bytes += field.size() + size_of(value);
  return bytes;
}
std::size_t values_of(const Xavp& xavp) {
  return std::max<std::size_t>(1, xavp.fields.size());
}

// The position of the index-th entry that fits, counted from the newest (or the oldest, negative); -1: none.
template <class Entry, class Fits>
std::ptrdiff_t position(const std::vector<Entry>& entries, int index, Fits fits) {
  const auto size = static_cast<std::ptrdiff_t>(entries.size());
  if (index >= 0) {
    for (std::ptrdiff_t i = size - 1; i >= 0; --i)
      if (fits(entries[static_cast<std::size_t>(i)]) && index-- == 0) return i;
    return -1;
  }
  for (std::ptrdiff_t i = 0; i < size; ++i)
    if (fits(entries[static_cast<std::size_t>(i)]) && ++index == 0) return i;
  return -1;
}

bool same_name(Tree tree, std::string_view a, std::string_view b) {
  return tree == Tree::Xavi ? equals_ignore_case(a, b) : a == b;
}

std::ptrdiff_t field_position(const Xavp& xavp, std::string_view field, int index) {
  return position(xavp.fields, index, [&](const auto& one) { return same_name(xavp.tree, one.first, field); });
}

}  // namespace

bool Xavp::is_named(Tree which, std::string_view wanted) const {
  return tree == which && same_name(tree, name, wanted);
}

const Value* Xavp::field(std::string_view wanted, int index) const {
  const auto at = field_position(*this, wanted, index);
  return at < 0 ? nullptr : &fields[static_cast<std::size_t>(at)].second;
}

void Variables::clear() {
  avps_.clear();
  xavps_.clear();
}

bool Variables::fits(std::size_t more_bytes, std::size_t more_values) const {
  std::size_t bytes = more_bytes, count = avps_.size() + more_values;
  for (const auto& avp : avps_) bytes += avp.name.size() + size_of(avp.value);
  for (const auto& xavp : xavps_) {
    bytes += size_of(xavp);
    count += values_of(xavp);
  }
  return bytes <= variables_bytes_max && count <= variables_max;
}

// ---- AVPs ----

const Value* Variables::avp(std::string_view name, int index) const {
  const auto at = position(avps_, index, [&](const Avp& avp) { return avp.name == name; });
  return at < 0 ? nullptr : &avps_[static_cast<std::size_t>(at)].value;
}

std::size_t Variables::avp_count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count(avps_, name, &Avp::name));
}

bool Variables::push_avp(std::string_view name, Value value) {
  if (!fits(name.size() + size_of(value))) return false;
  avps_.push_back({std::string(name), std::move(value)});
  return true;
}

void Variables::remove_avp(std::string_view name, int index) {
  const auto at = position(avps_, index, [&](const Avp& avp) { return avp.name == name; });
  if (at >= 0) avps_.erase(avps_.begin() + at);
}
void Variables::remove_avps(std::string_view name) {
  std::erase_if(avps_, [&](const Avp& avp) { return avp.name == name; });
}

// ---- XAVPs ----

const Xavp* Variables::xavp(Tree tree, std::string_view name, int index) const {
  const auto at = position(xavps_, index, [&](const Xavp& xavp) { return xavp.is_named(tree, name); });
  return at < 0 ? nullptr : &xavps_[static_cast<std::size_t>(at)];
}
Xavp* Variables::find(Tree tree, std::string_view name, int index) {
  return const_cast<Xavp*>(xavp(tree, name, index));
}

std::size_t Variables::xavp_count(Tree tree, std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(xavps_, [&](const Xavp& xavp) { return xavp.is_named(tree, name); }));
}

bool Variables::push_xavp(Xavp xavp) {
  if (!fits(size_of(xavp), values_of(xavp))) return false;
  if (xavp.tree == Tree::Xavu) remove_xavps(xavp.tree, xavp.name);
  xavps_.push_back(std::move(xavp));
  return true;
}

bool Variables::set_xavp(Tree tree, std::string_view name, int index, Value value) {
  auto* found = find(tree, name, index);
  if (!found || !fits(size_of(value))) return false;
  found->fields.clear();
  found->value = std::move(value);
  return true;
}

bool Variables::replace_xavp(Tree tree, std::string_view name, int index, Xavp xavp) {
  auto* found = find(tree, name, index);
  if (!found || !fits(size_of(xavp), values_of(xavp))) return false;
  *found = std::move(xavp);
  return true;
}

bool Variables::push_field(Tree tree, std::string_view name, int index, std::string_view field, Value value) {
  auto* found = find(tree, name, index);
  if (!found || found->value || !fits(field.size() + size_of(value))) return false;
  found->fields.emplace_back(field, std::move(value));
  return true;
}

bool Variables::set_field(Tree tree, std::string_view name, int index, std::string_view field, int field_index, Value value) {
  auto* found = find(tree, name, index);
  const auto at = found ? field_position(*found, field, field_index) : -1;
  if (at < 0 || !fits(size_of(value), 0)) return false;
  found->fields[static_cast<std::size_t>(at)].second = std::move(value);
  return true;
}

bool Variables::set_child(Tree tree, std::string_view name, std::string_view field, Value value) {
  auto* found = find(tree, name, 0);
  if (!found) return push_xavp({tree, std::string(name), std::nullopt, {{std::string(field), std::move(value)}}});
  if (!fits(field.size() + size_of(value))) return false;
  found->value.reset();
  std::erase_if(found->fields, [&](const auto& one) { return same_name(tree, one.first, field); });
  found->fields.emplace_back(field, std::move(value));
  return true;
}

void Variables::remove_xavp(Tree tree, std::string_view name, int index) {
  if (const auto* found = xavp(tree, name, index)) xavps_.erase(xavps_.begin() + (found - xavps_.data()));
}
void Variables::remove_xavps(Tree tree, std::string_view name) {
  std::erase_if(xavps_, [&](const Xavp& xavp) { return xavp.is_named(tree, name); });
}

void Variables::remove_field(Tree tree, std::string_view name, int index, std::string_view field, int field_index) {
  auto* found = find(tree, name, index);
  const auto at = found ? field_position(*found, field, field_index) : -1;
  if (at >= 0) found->fields.erase(found->fields.begin() + at);
}
void Variables::remove_fields(Tree tree, std::string_view name, int index, std::string_view field) {
  if (auto* found = find(tree, name, index))
    std::erase_if(found->fields, [&](const auto& one) { return same_name(tree, one.first, field); });
}

}  // namespace perdure::script
