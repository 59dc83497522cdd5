#pragma once
// The proxy core of one worker: RFC 3261 16 and 17, sans I/O. Takes an input and `now`, commits to the store, appends to Outputs.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "locate/servers.hpp"
#include "proxy/drain.hpp"
#include "proxy/observer.hpp"
#include "proxy/outputs.hpp"
#include "proxy/received.hpp"
#include "proxy/route_runner.hpp"
#include "store/store.hpp"

namespace perdure::locate {
class BlockList;
class Names;
}  // namespace perdure::locate

namespace perdure::proxy {

// How requests to host names find their servers (RFC 3263).
struct Locating {
  locate::Names* names = nullptr;        // null: nobody is asked, such requests are answered with 478. Outlives the proxy's inputs.
  locate::BlockList* blocked = nullptr;  // servers that have failed of late; null: they are not remembered
  locate::Policy policy;
  Duration timeout = 5s;       // for all questions about one name
  bool failover = true;        // the next server takes over when one fails
  Duration blocked_for = 60s;  // how long one that has failed comes after the others
};

// What of the transactions survives the engine ([state] persist).
enum class Persist : std::uint8_t { Full, Routes, Off };

// Which transactions get a line in the accounting log, by message flags of the script (0 to 31); none: never.
struct Accounting {
  std::optional<std::uint32_t> log_flag, missed_flag, failed_flag;
};

struct ProxyOptions {
  std::vector<LocalSocket> sockets;
  std::vector<std::string> aliases;  // "host" or "host:port" that are ours beside the sockets' addresses
  Duration t1 = 500ms, t2 = 4s, t4 = 5s;
  Duration timer_c = 180s;
  Duration fr_timer = 32s;  // how long a branch may stay without any response; Kamailio's fr_timer (RFC 3261 Timer B: 64*T1)
  bool forward_stray_responses = true;
  bool cancel_unknown_forwards = true;   // false: a CANCEL without transaction gets 481 instead of RFC 3261 16.10
  std::uint32_t branches_max = 16;       // per transaction
  std::uint32_t waiting_max = 10'000;    // runs of routes that may wait at a time, of each worker
  std::uint32_t udp_request_max = 1300;  // bytes; larger requests go by TCP where that is possible (RFC 3261 18.1.1), 0: never
  std::uint32_t max_breadth = 60;        // RFC 5393 for requests that carry no Max-Breadth
  Locating locating;
  std::string server_header = "Perdure";
  std::string local_request_route;  // function of the script that sees requests of our own before they leave; empty: none
  Accounting accounting;
  enum class RestoreAddresses : std::uint8_t { None, Manual, Auto };
  std::string restore_password;                                 // mixed into what Record-Route says of them; empty: nothing is
  RestoreAddresses restore_addresses = RestoreAddresses::Auto;  // of dialogs whose From or To has been replaced (KSR.uac)
  std::uint64_t secret = 0;                                     // seeds branch parameters and To tags; kept in the store
};

// Counters since this engine started; one worker writes them, status reads them at any time.
struct ProxyCounters {
  std::uint64_t requests = 0, responses = 0, malformed = 0, retransmissions_absorbed = 0, stray_responses = 0, transactions_created = 0,
                transactions_recovered = 0, branches = 0, cancels = 0, stateless = 0, script_errors = 0, store_full = 0,
                resent_after_attach = 0, routed_again = 0, undelivered_requests = 0, undelivered_responses = 0, udp_fallbacks = 0,
                waits = 0, waits_timed_out = 0, waits_refused = 0, drain_refusals = 0, names_waited = 0, names_failed = 0, next_servers = 0,
                events = 0, accounted = 0, responses_2xx = 0, responses_3xx = 0, responses_4xx = 0, responses_5xx = 0, responses_6xx = 0;
};

// One open transaction as `perdure calls` shows it.
struct TransactionView {
  std::string call_id, method, from, to, request_uri, state;
  struct Branch {
    std::string uri, destination, state;
    std::uint16_t status = 0;
  };
  std::vector<Branch> branches;
  Duration age{};
};

// Where a proxy keeps its state. With Persist::Routes `transactions` is memory of the process and `routes` the file; otherwise `routes` is
// null. Both have the same number of partitions.
struct Stores {
  Stores(store::Store& transaction_store, store::Store* route_store = nullptr) : transactions(transaction_store), routes(route_store) {}
  store::Store& transactions;
  store::Store* routes;
};
// The kinds that these stores must know.
[[nodiscard]] std::vector<store::KindInfo> store_kinds();

// Something else than a message that the script hears of: its function `route` is called with the argument `name`, and with a message of
// our making whose Request-URI is `uri`; empty: one of ours. `on_end` is called when it is over, unless the process ends before.
struct ScriptEvent {
  std::string route = {}, name = {}, uri = {};
  std::function<void()> on_end = {};
};

class Proxy {
 public:
  // Works on the partitions for which partition % worker_count == worker.
  Proxy(const ProxyOptions& options, const Stores& stores, std::uint32_t worker, std::uint32_t worker_count, RouteRunner& runner,
        Random random);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Rebuilds indexes and timers from the store and sends again what may not have left. Call once, before any input.
  void attach(Time now, Outputs& outputs);
  void on_received(const Received& received, Time now, Outputs& outputs);
  // A message that Outputs gave out and that no connection could deliver: refused, timed out, closed before it was written. A branch fails
  // as by a 503 (RFC 3261 16.9, 17.1.4); what is no longer of interest is counted. `bytes` live until this returns.
  void on_undelivered(std::string_view bytes, Time now, Outputs& outputs);
  void on_tick(Time now, Outputs& outputs);
  // Goes on with a run that called RoutingContext::begin_wait(). False: it does not wait any more, because its deadline has passed.
  bool resume(std::uint64_t wait, Time now, Outputs& outputs);
  [[nodiscard]] std::size_t waiting() const;
  // When on_tick is due; `never` if no timer runs.
  [[nodiscard]] Time next_deadline() const;
  // All outputs of the batch have left: marks the records, frees what the sends pointed at.
  void outputs_sent();

  // A request of the server's own outside any transaction it proxies (probes): the answer comes to `on_local_response` of the listener.
  class LocalListener {
   public:
    virtual ~LocalListener() = default;
    // status 408 when nothing came within 64*T1. `branch` is the branch parameter that the request carried.
    virtual void on_local_response(std::string_view branch, std::uint16_t status, Time now) = 0;
  };
  void set_local_listener(LocalListener* listener);
  // The branch parameter for such a request; its responses are recognised by it.
  [[nodiscard]] std::string make_local_branch();

  // False: the callback has failed. It may wait.
  bool run_event(const ScriptEvent& event, Time now, Outputs& outputs);
  // The route for requests of our own (ProxyOptions::local_request_route) may change `request` before it is sent. False: it must not be.
  bool run_local_request(std::string& request, Time now, Outputs& outputs);

  // How what concerns a transaction of another worker gets there: `order` is to run in that worker's thread, between two messages.
  using Neighbours = std::function<void(std::uint32_t worker, std::function<void(Proxy&, Time, Outputs&)> order)>;
  void set_neighbours(Neighbours neighbours);
  // How what name servers have said gets back into this proxy's thread; without it no request waits for them.
  void set_mailbox(Mailbox& mailbox);

  [[nodiscard]] const ProxyCounters& counters() const;
  [[nodiscard]] std::size_t open_transactions() const;
  // At most `limit` transactions, any order.
  [[nodiscard]] std::vector<TransactionView> transactions(std::size_t limit, Time now) const;
  // How many unanswered transactions of this worker's `index`-th partition will call these routes of the script; a partition at a time,
  // because calls wait meanwhile.
  [[nodiscard]] std::vector<std::size_t> count_armed(std::uint32_t index, std::span<const std::string> names) const;
  // The same of transactions without a final response: the calls that are being set up, and requests on their way.
  [[nodiscard]] std::size_t count_unanswered(std::uint32_t index) const;
  [[nodiscard]] const ProxyOptions& options() const;
  // From now on; what is refused stands in drain.cpp.
  void set_drain(const Drain& drain);
  [[nodiscard]] const Drain& drain() const;
  // The record in work, RecordId::none between inputs: the suspect when the engine dies here.
  void set_record_mark(std::uint32_t* mark);
  // Outlives the proxy; without one nobody is told.
  void set_observer(Observer& observer);

  class Impl;

 private:
  friend class RoutingContext;
  std::unique_ptr<Impl> impl_;
};

// The partition that owns a message: by Call-ID, without a full parse. Messages without Call-ID go to partition 0.
[[nodiscard]] std::uint32_t partition_of(std::string_view message, std::uint32_t partition_count);

}  // namespace perdure::proxy
