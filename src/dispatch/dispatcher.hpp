#pragma once
// Destination sets, their states and the choice among them: the functions of Kamailio's dispatcher module on plain data.
// One Dispatcher per engine, shared by all workers: every member function but attach() may run in any thread at any time.
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "dispatch/destination.hpp"
#include "dispatch/list.hpp"
#include "dispatch/options.hpp"
#include "dispatch/state_file.hpp"
#include "locate/servers.hpp"

namespace perdure::dispatch {

// Kamailio's numbers. Not here: 12 and 13 (latency).
enum class Algorithm : std::uint8_t {
  CallId = 0,
  FromUri = 1,
  ToUri = 2,
  RequestUri = 3,
  RoundRobin = 4,
  AuthUser = 5,
  Random = 6,
  Text = 7,
  Priority = 8,
  Weight = 9,
  CallLoad = 10,
  RelativeWeight = 11,
};
[[nodiscard]] std::optional<Algorithm> algorithm_from(std::int64_t number);

// What the algorithms look at; an algorithm needs only its own field. URIs as in the message, with or without <>.
struct SelectKeys {
  std::string_view call_id, from_uri, to_uri, request_uri, auth_user;
  std::string_view text;  // algorithm 7: value of the pseudo-variable that the script chose
};

// The chosen destination first, then those to try when it fails. Pins its list, so pointers live as long as the Selection.
// The script keeps set, uri and attrs of the rest in its XAVP: ds_next_dst takes the next of them for which is_usable() says true.
struct Selection {
  std::shared_ptr<const List> list;
  std::array<const Destination*, candidates_max> destinations{};
  std::size_t count = 0;

  explicit operator bool() const { return count > 0; }
  [[nodiscard]] const Destination& first() const { return *destinations[0]; }
};

// One destination as `dispatcher.list` shows it.
struct DestinationView {
  std::int32_t set = 0;
  std::string uri, attrs, duid;
  std::uint8_t flags = 0;      // state_text() writes it
  std::uint32_t failures = 0;  // towards the threshold
  std::uint32_t load = 0;      // calls counted by algorithm 10
  std::int32_t priority = 0;
  std::uint32_t weight = 0, relative_weight = 0, maxload = 0;
};

struct ReloadReport {
  std::size_t sets = 0, destinations = 0, added = 0, removed = 0;
};

class Dispatcher {
 public:
  // No list and no surviving state yet: states live in the process until attach().
  explicit Dispatcher(DispatcherOptions options);

  // Takes over the states and loads of the previous engine from `path`, creating or replacing an unusable file. The caller is the only
  // process that maps it from now on, and no worker uses the Dispatcher before it returns.
  [[nodiscard]] Result<> attach(const std::string& path, Time now);

  // Replaces all sets. Selections in use keep the old list. A file with an error changes nothing; the error names file and line.
  [[nodiscard]] Result<ReloadReport> reload(const std::string& list_path);
  void replace(List list, ReloadReport* report = nullptr);

  // ds_select_dst, ds_select_domain: an empty Selection when the set is unknown or has no usable destination. `limit` 0: candidates_max.
  // With CallLoad the call of keys.call_id is counted for the first destination until load_unset() or load_expire.
  [[nodiscard]] Selection select(std::int32_t set, Algorithm algorithm, const SelectKeys& keys, Random& random, Time now,
                                 std::size_t limit = 0);

  // ds_next_dst, ds_next_domain: may this candidate still be tried? False also when it has left the list.
  [[nodiscard]] bool is_usable(std::int32_t set, std::string_view uri) const;
  // The destination as it stands in the list now, null if it is gone; the Selection pins it.
  [[nodiscard]] Selection find(std::int32_t set, std::string_view uri) const;

  // ds_mark_dst: `letters` as in Kamailio; empty means "i", with "p" if all are probed. False: unknown destination or letter.
  bool mark(std::int32_t set, std::string_view uri, std::string_view letters);
  // The same by state bits, with thresholds applied: what the prober and mark() do.
  bool update_state(std::int32_t set, std::string_view uri, std::uint8_t flags);
  // dispatcher.set_state: as given, thresholds do not apply. False: unknown destination.
  bool set_state(std::int32_t set, std::string_view uri, std::uint8_t flags);
  [[nodiscard]] std::optional<std::uint8_t> flags(std::int32_t set, std::string_view uri) const;

  // dispatcher.ping_active: whether destinations are probed at all. Survives the engine, as their states do.
  [[nodiscard]] bool pings() const { return state_.pings(); }
  void set_pings(bool on) { state_.set_pings(on); }

  // Where requests to it go, by the first server; nullopt: its host name has not been looked up yet, empty: it leads nowhere.
  [[nodiscard]] std::optional<std::vector<locate::Server>> servers_of(const Destination& destination) const;
  // Of host names, by the URIs of their destinations.
  using Servers = std::unordered_map<std::string, std::vector<locate::Server>>;
  void set_servers(Servers servers) { servers_.store(std::make_shared<const Servers>(std::move(servers)), std::memory_order_release); }

  // ds_is_from_list: the destination that a source address belongs to, in `set` or, without, in any. Bits of `mode` as Kamailio's.
  static constexpr unsigned match_no_port = 1, match_no_transport = 2, match_active = 4;
  [[nodiscard]] Selection is_from_list(const SocketAddress& source, Transport transport, std::optional<std::int32_t> set,
                                       unsigned mode = match_no_transport) const;

  // Call load (algorithm 10). load_replace: the call moves to another destination (failover); load_confirm: it was answered, the expiry
  // begins anew; load_unset: it has ended. False: the call is not counted (or, load_replace, the table is full).
  bool load_replace(std::string_view call_id, std::int32_t set, std::string_view uri, Time now);
  bool load_confirm(std::string_view call_id, Time now);
  bool load_unset(std::string_view call_id);

  // Drops the loads that have expired, a part of the table per call. One worker calls it about once a second.
  void on_tick(Time now);

  // A destination can be chosen again, or no more.
  struct Change {
    std::string uri;
    bool up = false;
  };
  // From now on changes are kept for take_changes(), at most changes_max; those that come then are lost, and logged like all.
  static constexpr std::size_t changes_max = 1024;
  void collect_changes() { collecting_.store(true, std::memory_order_release); }
  [[nodiscard]] std::vector<Change> take_changes();

  [[nodiscard]] std::vector<DestinationView> view() const;
  [[nodiscard]] std::shared_ptr<const List> list() const { return list_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint8_t flags_of(const Destination& destination) const;
  [[nodiscard]] const DispatcherOptions& options() const { return options_; }

 private:
  void note_change(const Destination& destination, std::uint8_t before, std::uint8_t after);
  [[nodiscard]] std::size_t choose(const Set& set, Algorithm algorithm, const SelectKeys& keys, Random& random) const;
  [[nodiscard]] std::size_t least_loaded(const Set& set) const;
  [[nodiscard]] std::size_t by_relative_weight(const Set& set, Random& random) const;

  const DispatcherOptions options_;
  StateFile state_;
  std::mutex replace_mutex_;
  std::atomic<bool> collecting_{false};
  std::atomic<bool> changed_{false};
  std::mutex changes_mutex_;
  std::vector<Change> changes_;
  std::atomic<std::shared_ptr<const List>> list_;
  std::atomic<std::shared_ptr<const Servers>> servers_;
};

}  // namespace perdure::dispatch
