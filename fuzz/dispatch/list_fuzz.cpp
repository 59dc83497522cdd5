// A destination list of any text is refused with file and line, or can be used and written again.
#include <charconv>
#include <string>

#include "dispatch/list.hpp"
#include "sip/uri.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure;
using namespace perdure::dispatch;
using fuzz::expect;

constexpr std::string_view file = "dispatcher.list";

void check_error(std::string_view message) {
  expect(message.starts_with(file) && message.size() > file.size() && message[file.size()] == ':', "an error without the file");
  const char* const begin = message.data() + file.size() + 1;
  std::uint32_t line = 0;
  const auto [end, error] = std::from_chars(begin, message.data() + message.size(), line);
  expect(error == std::errc{} && line > 0 && *end == ':', "an error without a line");
}

void check_set(const List& list, const Set& set) {
  expect(!set.destinations.empty() && list.find(set.id) == &set, "a set that is empty, or not found");
  for (std::size_t i = 0; i < set.destinations.size(); ++i) {
    const Destination& one = set.destinations[i];
    expect(one.set == set.id && list.find(set.id, one.uri) == &one, "a destination is not found by its URI");
    expect(i == 0 || one.priority <= set.destinations[i - 1].priority, "priorities out of order");
    const auto uri = sip::Uri::parse(one.uri);
    const bool is_name = uri && !SocketAddress::parse(uri->host_without_brackets(), 0);
    expect((one.address.family == Family::None) == is_name, "a destination with an address and a name, or with neither");
    expect(one.weight <= 100 && one.relative_weight <= 100, "a weight beyond its limit");
  }
  bool weighted = false;
  for (const auto& one : set.destinations) weighted = weighted || one.weight > 0;
  expect(weighted != set.by_weight.empty(), "weights without turns, or turns without weights");
  for (const auto position : set.by_weight) expect(position < set.destinations.size(), "a turn for nobody");
}

// In the order of the file, since that decides between equal priorities.
std::string write(const List& list) {
  std::string text;
  for (const auto& set : list.sets)
    for (const auto& one : set->destinations) {
      text += std::to_string(one.set) + " " + one.uri + " " + std::to_string(one.listed_flags) + " " + std::to_string(one.priority);
      if (!one.attrs.empty()) text += one.attrs.find('"') == std::string::npos ? " \"" + one.attrs + "\"" : " " + one.attrs;
      text += "\n";
    }
  return text;
}

void check_same(const List& list, const List& again) {
  expect(list.sets.size() == again.sets.size() && list.size() == again.size(), "another number of destinations when written again");
  for (std::size_t i = 0; i < list.sets.size(); ++i) {
    const Set &one = *list.sets[i], &other = *again.sets[i];
    expect(one.id == other.id && one.by_weight == other.by_weight, "another set when written again");
    for (std::size_t j = 0; j < one.destinations.size(); ++j) {
      const Destination &left = one.destinations[j], &right = other.destinations[j];
      expect(left.uri == right.uri && left.listed_flags == right.listed_flags && left.priority == right.priority &&
                 left.attrs == right.attrs && left.address == right.address && left.transport == right.transport &&
                 left.duid == right.duid && left.socket == right.socket && left.ping_from == right.ping_from &&
                 left.maxload == right.maxload,
             "another destination when written again");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto list = parse_list({reinterpret_cast<const char*>(data), size}, file);
  if (!list) {
    check_error(list.error().message);
    return 0;
  }
  expect(list->size() <= destinations_max, "more destinations than there may be");
  for (const auto& set : list->sets) check_set(*list, *set);
  const auto again = parse_list(write(*list), file);
  expect(again.has_value(), "a list is refused when written again");
  check_same(*list, *again);
  return 0;
}
