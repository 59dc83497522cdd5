#include "trace/call.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "base/case.hpp"

namespace perdure::trace {

std::string_view call_id_of(std::string_view message) {
  std::size_t at = message.find('\n');
  while (at != message.npos && ++at < message.size()) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    const std::string_view line = message.substr(at, end - at);
    if (line.empty() || line == "\r") return {};
    const char first = to_lower(line.front());
    const std::size_t colon = first == 'c' || first == 'i' ? line.find(':') : line.npos;
    if (colon != line.npos) {
      std::string_view name = line.substr(0, colon), value = line.substr(colon + 1);
      while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
      if (equals_ignore_case(name, "call-id") || equals_ignore_case(name, "i")) {
        const std::size_t from = value.find_first_not_of(" \t"), to = value.find_last_not_of(" \t\r");
        return from == value.npos || to < from ? std::string_view{} : value.substr(from, to - from + 1);
      }
    }
    at = end == message.size() ? message.npos : end;
  }
  return {};
}

std::vector<StoredEntry> messages_of(const RingFile& file, std::string_view call_id, std::size_t limit) {
  std::vector<StoredEntry> found;
  std::vector<StoredEntry> starts;
  std::set<std::uint64_t> received, started;
  for (std::uint32_t i = 0; i < file.count(); ++i) {
    RingReader(file.ring(i)).read([&](const Entry& entry) {
      if (entry.kind == EntryKind::Start) {
        if (started.insert(entry.id).second) starts.push_back({entry, std::string(entry.bytes)});
        return;
      }
      if (call_id_of(entry.bytes) != call_id) return;
      if (entry.kind == EntryKind::Received && !received.insert(entry.id).second) return;
      if (found.size() < limit) found.push_back({entry, std::string(entry.bytes)});
    });
  }
  std::ranges::stable_sort(found, {}, [](const StoredEntry& one) { return one.entry.wall_us; });
  if (!found.empty()) {
    const auto first = found.front().entry.wall_us, last = found.back().entry.wall_us;
    std::erase_if(starts, [&](const StoredEntry& one) { return one.entry.wall_us <= first || one.entry.wall_us > last; });
    for (auto& one : starts) found.push_back(std::move(one));
    // An engine that begins says so before it does anything.
    std::ranges::stable_sort(found, {},
                             [](const StoredEntry& one) { return std::pair(one.entry.wall_us, one.entry.kind != EntryKind::Start); });
  }
  for (auto& one : found) one.entry.bytes = one.bytes;
  return found;
}

}  // namespace perdure::trace
