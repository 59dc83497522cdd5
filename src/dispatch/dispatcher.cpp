#include "dispatch/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "base/case.hpp"
#include "base/logging.hpp"
#include "dispatch/load_key.hpp"

namespace perdure::dispatch {

namespace {
constexpr std::size_t expire_step = 4096;  // pairs looked at per tick: the whole table in 16 of them
}

Dispatcher::Dispatcher(DispatcherOptions options) : options_(std::move(options)), list_(std::make_shared<const List>()) {}

Result<> Dispatcher::attach(const std::string& path, Time now) {
  if (auto opened = state_.open(path, now + options_.load_expire); !opened) return opened;
  // The list was bound to the states in memory: bind a copy of it to those that survived.
  List rebound;
  for (const auto& set : list()->sets) {
    auto copy = std::make_unique<Set>();
    copy->id = set->id;
    copy->destinations = set->destinations;
    copy->by_weight = set->by_weight;
    rebound.sets.push_back(std::move(copy));
  }
  replace(std::move(rebound));
  return {};
}

Result<ReloadReport> Dispatcher::reload(const std::string& list_path) {
  auto loaded = load_list(list_path);
  if (!loaded) return std::unexpected(loaded.error());
  ReloadReport report;
  replace(std::move(*loaded), &report);
  return report;
}

void Dispatcher::replace(List list, ReloadReport* report) {
  const std::lock_guard lock(replace_mutex_);
  const auto old = this->list();
  for (auto& set : list.sets)
    if (const Set* const before = old->find(set->id)) {
      set->next_round_robin = before->next_round_robin.load(std::memory_order_relaxed);
      set->next_weight = before->next_weight.load(std::memory_order_relaxed);
    }
  state_.bind(list);
  if (report != nullptr) {
    *report = {.sets = list.sets.size(), .destinations = list.size(), .added = 0, .removed = 0};
    for (const auto& set : list.sets)
      report->added += static_cast<std::size_t>(
          std::ranges::count_if(set->destinations, [&](const Destination& one) { return old->find(one.set, one.uri) == nullptr; }));
    report->removed = old->size() + report->added - report->destinations;
  }
  list_.store(std::make_shared<const List>(std::move(list)), std::memory_order_release);
}

std::uint8_t Dispatcher::flags_of(const Destination& destination) const {
  return state_.get(destination.slot).flags;
}

bool Dispatcher::is_usable(std::int32_t set, std::string_view uri) const {
  const auto current = flags(set, uri);
  return current && dispatch::is_usable(*current);
}

std::optional<std::uint8_t> Dispatcher::flags(std::int32_t set, std::string_view uri) const {
  const auto list = this->list();
  const Destination* const destination = list->find(set, uri);
  if (destination == nullptr) return std::nullopt;
  return flags_of(*destination);
}

Selection Dispatcher::find(std::int32_t set, std::string_view uri) const {
  Selection selection;
  auto list = this->list();
  if (const Destination* const destination = list->find(set, uri)) {
    selection.destinations[selection.count++] = destination;
    selection.list = std::move(list);
  }
  return selection;
}

bool Dispatcher::mark(std::int32_t set, std::string_view uri, std::string_view letters) {
  if (letters.empty()) letters = options_.probing_mode == ProbingMode::All ? "ip" : "i";
  const int flags = state_from_letters(letters);
  return flags >= 0 && update_state(set, uri, static_cast<std::uint8_t>(flags));
}

// Kamailio's ds_update_state. Unlike there, only dispatcher.set_state leads out of `disabled`: a call that was on its way when an operator
// disabled its gateway must not enable it again.
static StateFile::State next_state(StateFile::State old, std::uint8_t flags, const DispatcherOptions& options) {
  if (old.flags & state::disabled) return old;
  if (flags & state::disabled) return {.flags = state::disabled, .count = 0};
  StateFile::State next{.flags = static_cast<std::uint8_t>(flags & state::all), .count = 0};
  if (flags & state::inactive) {
    next.flags &= static_cast<std::uint8_t>(~state::trying);
  } else if (flags & state::trying) {
    const bool was_inactive = (old.flags & state::inactive) != 0;  // it goes to active first, then to trying
    if (!was_inactive) next.count = static_cast<std::uint16_t>(std::min<std::uint32_t>(old.count + 1u, UINT16_MAX));
    if (was_inactive || next.count >= options.probing_threshold)
      next = {.flags = static_cast<std::uint8_t>((next.flags & ~state::trying) | state::inactive), .count = 0};
  } else if (old.flags & state::inactive) {
    next.count = static_cast<std::uint16_t>(std::min<std::uint32_t>(old.count + 1u, UINT16_MAX));
    if (next.count < options.inactive_threshold)
      next.flags |= static_cast<std::uint8_t>(state::inactive | (old.flags & state::probing));
    else
      next.count = 0;
  }
  return next;
}

bool Dispatcher::update_state(std::int32_t set, std::string_view uri, std::uint8_t flags) {
  const auto list = this->list();
  const Destination* const destination = list->find(set, uri);
  if (destination == nullptr) return false;
  StateFile::State old = state_.get(destination->slot), next;
  do next = next_state(old, flags, options_);
  while (old != next && !state_.exchange(destination->slot, old, next));
  if (old.flags != next.flags)
    log::notice("dispatcher: set {} {} {} -> {}", set, destination->uri, state_text(old.flags), state_text(next.flags));
  note_change(*destination, old.flags, next.flags);
  return true;
}

bool Dispatcher::set_state(std::int32_t set, std::string_view uri, std::uint8_t flags) {
  const auto list = this->list();
  const Destination* const destination = list->find(set, uri);
  if (destination == nullptr) return false;
  const StateFile::State next{.flags = static_cast<std::uint8_t>(flags & state::all), .count = 0};
  StateFile::State old = state_.get(destination->slot);
  while (!state_.exchange(destination->slot, old, next)) {
  }
  log::notice("dispatcher: set {} {} {} -> {} by command", set, destination->uri, state_text(old.flags), state_text(next.flags));
  note_change(*destination, old.flags, next.flags);
  return true;
}

void Dispatcher::note_change(const Destination& destination, std::uint8_t before, std::uint8_t after) {
  const bool up = dispatch::is_usable(after);
  if (up == dispatch::is_usable(before) || !collecting_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(changes_mutex_);
  if (changes_.size() < changes_max) changes_.push_back({.uri = destination.uri, .up = up});
  changed_.store(true, std::memory_order_release);
}

std::vector<Dispatcher::Change> Dispatcher::take_changes() {
  if (!changed_.exchange(false, std::memory_order_acq_rel)) return {};
  const std::lock_guard lock(changes_mutex_);
  return std::exchange(changes_, {});
}

std::optional<std::vector<locate::Server>> Dispatcher::servers_of(const Destination& destination) const {
  if (destination.address.family != Family::None) return std::vector{locate::Server{destination.transport, destination.address}};
  const auto servers = servers_.load(std::memory_order_acquire);
  const auto found = servers ? servers->find(destination.uri) : Servers::const_iterator{};
  return servers && found != servers->end() ? std::optional(found->second) : std::nullopt;
}

Selection Dispatcher::is_from_list(const SocketAddress& source, Transport transport, std::optional<std::int32_t> set, unsigned mode) const {
  Selection selection;
  auto list = this->list();
  for (const auto& one_set : list->sets) {
    if (set && one_set->id != *set) continue;
    for (const auto& one : one_set->destinations) {
      const auto is_source = [&](const locate::Server& server) {
        return server.address.same_ip(source) && ((mode & match_no_port) || server.address.port == source.port) &&
               ((mode & match_no_transport) || server.transport == transport);
      };
      if (one.address.family != Family::None ? !is_source({one.transport, one.address})
                                             : !std::ranges::any_of(servers_of(one).value_or(std::vector<locate::Server>{}), is_source))
        continue;
      if ((mode & match_active) && !dispatch::is_usable(flags_of(one))) continue;
      selection.destinations[selection.count++] = &one;
      selection.list = std::move(list);
      return selection;
    }
  }
  return selection;
}

bool Dispatcher::load_replace(std::string_view call_id, std::int32_t set, std::string_view uri, Time now) {
  const auto list = this->list();
  const Destination* const destination = list->find(set, uri);
  if (destination == nullptr || !state_.load_touch(load_key(call_id), now + options_.load_expire)) return false;
  return state_.load_add(load_key(call_id), destination->slot, now + options_.load_expire);
}

bool Dispatcher::load_confirm(std::string_view call_id, Time now) {
  return state_.load_touch(load_key(call_id), now + options_.load_expire);
}
bool Dispatcher::load_unset(std::string_view call_id) {
  return state_.load_remove(load_key(call_id));
}
void Dispatcher::on_tick(Time now) {
  state_.expire(now, expire_step);
}

std::vector<DestinationView> Dispatcher::view() const {
  std::vector<DestinationView> views;
  const auto list = this->list();
  for (const auto& set : list->sets)
    for (const auto& one : set->destinations) {
      const StateFile::State now = state_.get(one.slot);
      views.push_back({.set = one.set,
                       .uri = one.uri,
                       .attrs = one.attrs,
                       .duid = one.duid,
                       .flags = now.flags,
                       .failures = now.count,
                       .load = state_.load(one.slot),
                       .priority = one.priority,
                       .weight = one.weight,
                       .relative_weight = one.relative_weight,
                       .maxload = one.maxload});
    }
  return views;
}

}  // namespace perdure::dispatch
