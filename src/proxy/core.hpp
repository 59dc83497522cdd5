#pragma once
// The inside of Proxy. One file per part of RFC 3261 16:
//   validation.cpp 16.3, route_processing.cpp 16.4, forwarding.cpp and next_hop.cpp 16.6, response_context.cpp 16.7, timers.cpp 16.8 and
//   17, undelivered.cpp 16.9, cancel.cpp 16.10, stateless.cpp 16.11, drain.cpp (no new dialogs), server_transaction.cpp 17.2, waiting.cpp
//   (runs that wait), commit.cpp (store), attach.cpp (restart), locating.cpp (next hops that are host names), failover.cpp (the next server
//   of a name), input.cpp (dispatch of inputs), apply_changes.cpp (messages that a script rewrites), settings.cpp (timers and switches of
//   one transaction), other_transactions.cpp and local_requests.cpp (what a script does beside its own transaction), events.cpp (callbacks
//   without a message from outside), branch_failure.cpp (failures of single branches).
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "locate/block_list.hpp"
#include "locate/names.hpp"
#include "proxy/frame.hpp"
#include "proxy/next_hop.hpp"
#include "proxy/proxy.hpp"
#include "sip/uri_transport.hpp"
#include "transaction/key.hpp"
#include "transaction/machine.hpp"
#include "transaction/record.hpp"
#include "transaction/route_record.hpp"
#include "transaction/timer_wheel.hpp"

namespace perdure::proxy {

// What RFC 3261 gives the length zero over reliable transports, Timers D, I, J and K, lasts this long: a transaction stays until its last
// outputs have left and the message that caused them need not be processed again after a death.
inline constexpr Duration settle = 1s;

// Begins the branch parameters of requests that no transaction of ours sends (Proxy::make_local_branch).
inline constexpr std::string_view local_branch_prefix = "z9hG4bKl";

class Proxy::Impl {
 public:
  Impl(Proxy& self, const ProxyOptions& options, const Stores& stores, std::uint32_t worker, std::uint32_t worker_count,
       RouteRunner& runner, Random random);

  // ---- input.cpp ----
  void on_received(const Received& received, Time now, Outputs& outputs);
  void on_request(Frame& frame, Time now);
  void run_request_route(Frame& frame);
  void finish_request_route(RoutingContext& context, bool ran);
  // 16.7 item 3: it has our Via and no other, so it must not be forwarded.
  [[nodiscard]] static bool has_one_via(const sip::Message& response);
  void on_response(Frame& frame, Time now);
  void on_client_response(Frame& frame, std::size_t branch, Time now);
  void on_cancel_response(Frame& frame, std::size_t branch, Time now);

  // ---- validation.cpp ----
  // The answer that 16.3 demands, {0, ""} if the request may go on.
  struct Refusal {
    std::uint16_t code = 0;
    std::string_view reason;
    std::string headers;
  };
  [[nodiscard]] Refusal validate(const RoutingContext& context) const;
  [[nodiscard]] bool is_loop(const sip::Message& request) const;
  [[nodiscard]] bool is_myself(std::string_view host, std::uint16_t port) const;

  // ---- drain.cpp ----
  [[nodiscard]] bool is_refused_by_drain(const sip::Message& request) const;
  int refuse_by_drain(RoutingContext& context);

  // ---- route_processing.cpp ----
  int loose_route(RoutingContext& context);
  int take_routes(RoutingContext& context);
  // Text of our Record-Route lines for a request that came by one socket and leaves by another.
  void append_record_route(const RoutingContext& context, const Target& target, std::uint16_t out_socket, std::string& out) const;
  // The same lines in a request that has been written for another socket.
  void move_record_route(std::string& text, std::uint16_t in_socket, std::uint16_t from, std::uint16_t to) const;
  // "<sip:192.0.2.1:5070;transport=tcp;lr"
  void append_own_route(std::uint16_t socket, bool leaves_by_sips, std::string& out) const;
  // The socket that a Record-Route URI of ours names.
  [[nodiscard]] std::optional<std::uint16_t> socket_of(const sip::Uri& uri) const;

  // ---- forwarding.cpp ----
  int relay(RoutingContext& context);
  int give_up_relay(RoutingContext& context, bool created);
  // The request as it leaves, in `out`. Uses frame.branch_edits, which the branch route may have filled.
  void write_forwarded(const RoutingContext& context, const Target& target, const NextHop& hop, std::string_view branch_parameter,
                       sip::Edits& edits, std::uint32_t breadth, std::string& out) const;
  [[nodiscard]] bool add_branch(RoutingContext& context, const Target& target, std::uint32_t breadth);
  void start_next_targets(RoutingContext& context);
  static void begin_attempt(Work& work, std::size_t first);
  [[nodiscard]] std::optional<std::uint32_t> share_breadth(const sip::Message& request, std::uint32_t branches) const;

  // ---- next_hop.cpp ----
  [[nodiscard]] std::optional<NextHop> next_hop(const RoutingContext& context, const Target& target) const;
  [[nodiscard]] std::optional<NextHop> resolve(const sip::Uri& uri, std::uint16_t preferred_socket) const;
  // Where next_hop() finds nothing: by name. Nullopt: it is not one, or it leads nowhere.
  [[nodiscard]] std::optional<NamedHop> named_hop(const RoutingContext& context, const Target& target) const;
  // A socket of ours: the preferred one if it fits, else the first that does.
  [[nodiscard]] std::optional<std::uint16_t> socket_for(Transport transport, Family family, std::uint16_t preferred) const;
  // "tcp:192.0.2.1:5060".
  [[nodiscard]] std::optional<std::uint16_t> socket_named(std::string_view text) const;
  bool switch_to_tcp(NextHop& hop, std::string& text) const;
  // False: `text` has no Via that can be read.
  bool set_top_via_socket(std::string& text, const LocalSocket& socket) const;

  // ---- locating.cpp ----
  [[nodiscard]] std::optional<NamedHop> look_up(const sip::Uri& uri, std::uint16_t preferred_socket, std::string_view call_id,
                                                Time now) const;
  // Servers that can be reached, those that have failed of late at the end; nullopt: name servers have to be asked.
  [[nodiscard]] std::optional<std::vector<locate::Server>> find_servers(const locate::Destination& destination, locate::Answers& answers,
                                                                        std::string_view call_id, Time now) const;
  // Takes the first server that a socket of ours can send to.
  [[nodiscard]] std::optional<NextHop> take_server(std::vector<locate::Server>& servers, const locate::Destination& destination,
                                                   std::uint16_t preferred_socket) const;
  // False: too many searches are open.
  bool search(const locate::Destination& destination, std::function<void(Impl&, locate::AnswerSet&, Time, Outputs&)> done);
  // What a new branch to a name keeps in the record. False: no room.
  bool keep_servers(Work& work, transaction::Branch& branch, const NamedHop& named);
  // From now on the branch waits. False: it cannot.
  bool await_servers(Work& work, std::size_t branch, const locate::Destination& destination, Time now);
  [[nodiscard]] static bool awaits_servers(std::span<const transaction::Branch> branches);
  // A branch that waits is due, or its process has ended. False: it has failed.
  bool go_on_waiting(Work& work, std::size_t branch, Time now);
  void on_servers(store::RecordId id, std::uint32_t nonce, std::size_t branch, locate::AnswerSet& answers, Time now, Outputs& outputs);
  // False: there is no server, or nobody wants one any more; the branch has failed.
  bool send_located(Work& work, std::size_t branch, locate::AnswerSet& answers, Time now, Outputs& outputs);
  // Writes `text`, made for the socket `made_for`, for that hop, and starts the client transaction. False: no room.
  bool send_branch(Work& work, std::size_t branch, std::string& text, std::uint16_t made_for, NamedHop& named, Time now);
  static void end_unsent(transaction::Branch& branch, std::uint16_t status);
  [[nodiscard]] std::string_view server_name(const Work& work, const transaction::Branch& branch);
  [[nodiscard]] std::uint16_t written_for(const transaction::Branch& branch) const;  // the socket that its Record-Route names

  // ---- failover.cpp ----
  // RFC 3263 4.3: what has failed without an answer, or by a 503, goes to the next server of its name, on a branch of its own.
  void take_next_servers(Work& work, Time now, Outputs& outputs);
  [[nodiscard]] static bool has_next_server(const transaction::Branch& failed);
  bool take_next_server(Work& work, std::size_t failed, Time now);
  void block_server(const Work& work, const transaction::Branch& failed, Time now, Outputs& outputs);

  // ---- response_context.cpp ----
  void pass_up(Frame& frame, std::size_t branch, Time now);
  // It has failed or answered: nothing waits for it any more. One whose time is over counts as failed while its CANCEL is still on its way.
  [[nodiscard]] static bool is_over(const transaction::Branch& branch);
  void branch_failed(Work& work, Time now, RoutingContext& context);  // after every final non-2xx: are all done?
  void finish_failure_route(Work& work, Time now, RoutingContext& context, bool ran);
  // What t_drop_replies has said; true: the run has not relayed, and now there is nothing to answer with.
  [[nodiscard]] static bool drop_replies(Work& work, const RoutingContext& context);
  void send_best(Work& work, Time now, RoutingContext& context);
  [[nodiscard]] int best_branch(const Work& work) const;

  // ---- branch_failure.cpp ----
  // Branches that have failed and whose failure a route wants to see (t_on_branch_failure), or another server is to take over from.
  [[nodiscard]] static bool has_unreported_failure(std::span<const transaction::Branch> branches);
  void run_branch_failure_routes(Work& work, Time now, RoutingContext& cause);
  // The context of a route that runs because that branch has failed.
  void begin_failure_context(RoutingContext& context, std::size_t branch, RouteKind kind);

  // ---- waiting.cpp: runs that wait, and those that the process before has not ended ----
  [[nodiscard]] std::uint64_t begin_wait(RoutingContext& context, Time deadline);
  void keep_waiting(Frame& frame);
  bool resume(std::uint64_t wait, bool timed_out, Time now, Outputs& outputs);
  void expire_waits(Time now, Outputs& outputs);
  [[nodiscard]] bool is_waiting(store::RecordId id) const { return waiting_records_.contains(id.value); }
  // Neither answered nor with a branch that is open: a route has to say how it goes on. If none waits, the process that ran it has ended.
  [[nodiscard]] static bool awaits_route(const transaction::TransactionHeader& header, std::span<const transaction::Branch> branches);
  // Of a transaction whose route has been busy: branches may have failed.
  void look_at_failures(Work& work, Time now, Outputs& outputs);
  // Runs that route from its begin.
  void route_again(Work& work, Time now, Outputs& outputs);

  // ---- cancel.cpp ----
  int relay_cancel(RoutingContext& context);
  void cancel_branches(Work& work, Time now, std::size_t except = SIZE_MAX);
  // Lines for all CANCELs of the transaction; none once one has left (Timer C, 6xx), since it must be repeated as it was.
  void set_cancel_headers(Work& work, std::string_view lines);
  void send_cancel(Work& work, std::size_t branch, Time now);

  // ---- stateless.cpp ----
  int forward_stateless(RoutingContext& context);
  int forward_stateless_to(RoutingContext& context, const NextHop& hop, std::string_view server_name);
  void write_stateless(RoutingContext& context, const NextHop& hop, std::string& out);
  // An ACK or CANCEL to ourselves would do so as long as Max-Forwards lasts: they have no loop detection of their own.
  [[nodiscard]] bool would_come_back(sip::Method method, const NextHop& hop) const;
  void forward_response_stateless(Frame& frame);
  // The parameter of our Via that leads a response back to the connection of its request; only who has the Via can make use of it.
  void append_connection(const sip::Message& request, std::uint64_t connection, std::string& out) const;
  // 0: there is none.
  [[nodiscard]] std::uint64_t connection_of(const sip::Message& response) const;
  int reply_stateless(RoutingContext& context, std::uint16_t code, std::string_view reason, std::string_view headers = {});

  // ---- stateless_names.cpp ----
  int forward_stateless_by_name(RoutingContext& context);
  // A request without a transaction that waits for name servers, in memory alone.
  struct Forwarded;
  void forward_located(const Forwarded& forwarded, locate::AnswerSet& answers, Time now, Outputs& outputs);

  // ---- server_transaction.cpp ----
  [[nodiscard]] bool new_work(RoutingContext& context);  // fills context.work for a request without transaction
  int new_transaction(RoutingContext& context, bool say_trying = true);
  void server_event(Work& work, transaction::Event event, Time now);
  // A response that we make ourselves becomes the last response upstream.
  void reply(RoutingContext& context, std::uint16_t code, std::string_view reason, std::string_view headers = {});
  // False: the store is full. Nothing has changed, but a final response is tried again after a second.
  bool set_response(Work& work, std::string_view bytes, std::uint16_t code, Time now);
  // Before `code` becomes the status of the transaction.
  void observe_response(const Work& work, std::uint16_t code, Time now);
  void build_reply(const Work& work, const sip::Message& request, std::uint16_t code, std::string_view reason, std::string_view headers,
                   std::string_view body, std::string& out) const;
  [[nodiscard]] SocketAddress reply_address(const sip::Message& request, const Received& received, bool force_rport) const;
  bool client_event(Work& work, std::size_t branch, transaction::Event event, Time now, const transaction::Row** row_out = nullptr);

  // ---- other_transactions.cpp ----
  [[nodiscard]] std::uint32_t partition_of_call(std::string_view call_id) const;
  // An unanswered transaction of this worker; looks at all of the partition.
  [[nodiscard]] std::optional<store::RecordId> find_call(std::string_view call_id, std::string_view cseq, Outputs& outputs);
  // To the worker of that partition. False: there is no way to it. What is handed over is forgotten if the process ends first.
  bool hand_over(std::uint32_t partition, std::function<void(Proxy&, Time, Outputs&)> order);
  [[nodiscard]] Work* work_of(RoutingContext& context, store::RecordId id, Work& room);
  int cancel_call(RoutingContext& context, std::string_view call_id, std::string_view cseq, std::uint32_t flags, std::uint16_t reason);
  int reply_call(RoutingContext& context, std::string_view call_id, std::string_view cseq, std::uint16_t code, std::string_view reason);
  int continue_suspended(RoutingContext& cause, store::RecordId id, std::uint32_t label, std::string_view route);
  // frame.context becomes that of the request route of `work`. False: the request is not there any more.
  [[nodiscard]] bool begin_stored_request(Frame& frame, Work& work, Time now);
  void put_in_silo(store::RecordId id, std::string_view key);
  void take_from_silo(const Work& work);
  void attach_silo(store::RecordId id, const transaction::TransactionHeader& header, Outputs& outputs);
  // How many have been added; < 0 as in Kamailio: -1 no such transaction or no room, -2 cancelled, -3 answered, -4 nothing to add.
  int append_branches(RoutingContext& cause, store::RecordId id, std::optional<std::uint32_t> label, std::string_view key,
                      std::span<const Target> targets);
  int append_from_silo(RoutingContext& cause, std::string_view key, std::span<const Target> targets);
  [[nodiscard]] bool has_branch_to(const Work& work, std::string_view uri, Outputs& outputs);

  // ---- accounting.cpp ----
  [[nodiscard]] bool account_is_due(const Work& work) const;
  // Of the transaction's final response, which this step commits. Keeps it with the transaction, so that an attach can write it; the line
  // itself if there is no room for it.
  [[nodiscard]] std::string make_account_line(Work& work, Outputs& outputs);
  void emit_account_line(const Work& work, Outputs& outputs);
  void append_account_fields(const sip::Message& request, std::uint16_t code, std::string_view reason, std::string_view to_tag,
                             std::string& line) const;
  int account(RoutingContext& context, std::string_view comment);

  // ---- replaced_addresses.cpp: From and To that a script has replaced (KSR.uac) ----
  int replace_address(RoutingContext& context, RoutingContext::Address which, std::string_view display, std::string_view uri);
  int restore_address(RoutingContext& context, RoutingContext::Address which);
  [[nodiscard]] std::uint64_t mask_seed(std::string_view tag) const;
  void restore_addresses(RoutingContext& context);  // of a request in a dialog, by what our Route says
  void restore_in_response(const Work& work, const sip::Message& response, sip::Edits& edits, Outputs& outputs);

  // ---- events.cpp: callbacks for what is no message from outside ----
  bool run_event(const ScriptEvent& event, Time now, Outputs& outputs);
  void finish_event(RoutingContext& context, bool ran);
  bool run_local_request(std::string& request, Time now, Outputs& outputs);
  bool with_message(RoutingContext& context, RoutingContext::Other which, const std::function<void(RoutingContext&)>& f);

  // ---- local_requests.cpp: requests of our own ----
  int send_request(RoutingContext& context, const LocalRequest& request);
  int replicate(RoutingContext& context, std::string_view uri);
  // The branch of a transaction without anybody upstream; `text` is the request with its Via. False: the store is full.
  bool start_local(Work& work, sip::Method method, const NextHop& hop, const NamedHop* named, std::string_view text, Outputs& outputs,
                   Time now);
  [[nodiscard]] bool begin_local(Work& work, std::uint32_t partition, sip::Method method, Time now);

  // ---- settings.cpp ----
  [[nodiscard]] TimerSettings timers_of(const Work& work);
  // `never` without t_set_max_lifetime.
  [[nodiscard]] static Time end_of_life(const Work& work, const TimerSettings& timers);
  // Of a branch: until its first response; from a provisional response of an INVITE to the next one.
  [[nodiscard]] Time first_response_deadline(const Work& work, const TimerSettings& timers, Time now) const;
  [[nodiscard]] Time final_response_deadline(const Work& work, const TimerSettings& timers, Time now) const;
  void restart_timers(Work& work, const TimerSettings& timers, Time now);
  int settings_changed(RoutingContext& context);

  // ---- undelivered.cpp ----
  void on_undelivered(std::string_view bytes, Time now, Outputs& outputs);
  // A request that went by TCP for its size alone goes by UDP after all. False: it did not, or there is no room.
  [[nodiscard]] bool fall_back_to_udp(Work& work, std::size_t branch, const sip::Message& request, Time now);

  // ---- timers.cpp ----
  void on_tick(Time now, Outputs& outputs);
  void on_record_due(store::RecordId id, Time now, Outputs& outputs);
  [[nodiscard]] static Time deadline(const transaction::TransactionHeader& header, std::span<const transaction::Branch> branches);

  // ---- commit.cpp ----
  [[nodiscard]] bool load(store::RecordId id, Work& work);
  // Commits, then emits; erases the record when nothing is left to do. False: the store is full, nothing was changed or sent.
  // `request` is the transaction's request, if it is parsed at hand: it spares parsing it again for a 100.
  bool commit(Work& work, Outputs& outputs, const sip::Message* request = nullptr);
  // Gives back the blobs of this step that the committed header does not refer to; all of them if nothing was committed.
  void abandon_written(Work& work, bool committed);
  void give_back(Work& work);
  // Ends a transaction: nothing is left of it. What was written for it since the last commit has been abandoned.
  void erase(Work& work);
  // Takes back what a transaction that was never committed had taken.
  void discard(Work& work);
  void emit(const Work& work, std::uint64_t bits, Outputs& outputs, const sip::Message* request = nullptr);
  void emit_trying(const Work& work, Outputs& outputs, const sip::Message* request);
  void outputs_sent();
  [[nodiscard]] std::string_view read(const Work& work, store::BlobRef blob);
  [[nodiscard]] store::BlobRef write(Work& work, std::string_view bytes);
  void save_context(RoutingContext& context);
  void save_attempt(RoutingContext& context);
  // All but the edits, which stay those of the request route.
  void save_context_without_edits(RoutingContext& context);
  void load_context(RoutingContext& context);

  // ---- attach.cpp ----
  void attach(Time now, Outputs& outputs);

  // ---- inspection.cpp ----
  [[nodiscard]] std::vector<TransactionView> transactions(std::size_t limit, Time now);
  [[nodiscard]] std::vector<std::size_t> count_armed(std::uint32_t index, std::span<const std::string> names);
  [[nodiscard]] std::size_t count_unanswered(std::uint32_t index) const;

  // ---- routes.cpp; only with persist = "routes" ----
  // Of a response: forward it statelessly, frame.work is its transaction, all is done.
  enum class Recovery : std::uint8_t { None, Revived, Done };
  [[nodiscard]] Recovery recover_response(const transaction::BranchParameter& name, Frame& frame, Time now);
  // A transaction from the recovered routes of `key`, committed. `like`: any message of that transaction.
  [[nodiscard]] bool revive(std::uint64_t key, const sip::Message& like, Work& work, Time now, Outputs& outputs);
  // The INVITE of recovered routes again, if can_resume(): context.work gets their branches. False: no room.
  [[nodiscard]] bool resume_routes(RoutingContext& context);
  [[nodiscard]] bool can_resume(const Work& work) const;
  [[nodiscard]] bool has_recovered(std::uint64_t key, bool open) const;  // open: one without final response
  [[nodiscard]] std::optional<store::RecordId> revived_id(const transaction::BranchParameter& name) const;
  [[nodiscard]] const transaction::RouteHeader& recovered_route(store::RecordId id) const;
  [[nodiscard]] bool update_routes(Work& work, Outputs& outputs);
  [[nodiscard]] bool write_route(Work& work, std::size_t index, transaction::State state, Outputs& outputs);
  void write_invite(const transaction::RouteHeader& route, std::string_view text, const sip::Message& like, std::string& out) const;
  void take_routes(Work& work, Time now);
  void part_with_recovered(std::uint64_t key);
  void forget_recovered(store::RecordId id, const transaction::RouteHeader& route);
  void erase_route(const Work& work, std::size_t index);
  void erase_routes(const Work& work);
  void attach_routes(Time now);
  void expire_routes(Time now);

  [[nodiscard]] Frame& push_frame(Outputs& outputs);
  void pop_frame() { --depth_; }
  [[nodiscard]] std::uint16_t socket_from(std::uint32_t key, std::uint16_t fallback = 0) const;
  [[nodiscard]] bool owns(std::uint32_t partition) const { return partition % worker_count_ == worker_; }

  Proxy& self_;
  const ProxyOptions options_;
  store::Store& store_;
  store::Store* const routes_;
  const std::uint32_t worker_, worker_count_;
  RouteRunner& runner_;
  Random random_;
  LocalListener* listener_ = nullptr;
  Drain drain_;
  Observer nobody_;
  Observer* observer_ = &nobody_;
  ProxyCounters counters_;
  boost::unordered_flat_map<std::uint64_t, store::RecordId> index_;
  transaction::TimerWheel wheel_{Time{}};
  std::vector<std::uint32_t> due_;
  std::vector<store::RecordId> unsent_;  // records with outputs in the current batch
  std::vector<std::unique_ptr<Frame>> frames_;
  std::size_t depth_ = 0;
  std::uint32_t* record_mark_ = nullptr;
  std::unordered_multimap<std::uint64_t, store::RecordId> silo_;  // by hash of the key under which late branches come
  Proxy::Neighbours neighbours_;
  Mailbox* mailbox_ = nullptr;
  locate::Reach reach_;                                 // what sockets of ours can send to
  boost::unordered_flat_set<std::uint64_t> searching_;  // branches for which a search is open, by nonce and index
  mutable std::string text_, lines_;                    // for a moment, between two calls of one function: they keep their capacity
  // persist = "routes": what an engine before left and nobody has asked for yet, by ServerKey, and by record and nonce of the branch
  // parameter; the transactions that were made of such routes; the route of each branch of ours.
  std::unordered_multimap<std::uint64_t, store::RecordId> recovered_;
  boost::unordered_flat_map<std::uint64_t, store::RecordId> recovered_names_, revived_, route_ids_;
  transaction::TimerWheel route_wheel_{Time{}};
  std::vector<std::uint32_t> socket_keys_;
  boost::unordered_flat_map<std::uint64_t, Wait> waits_;
  boost::unordered_flat_map<std::uint32_t, std::uint64_t> waiting_records_;
  std::set<std::pair<Time, std::uint64_t>> wait_deadlines_;
  std::vector<std::unique_ptr<Frame>> spare_frames_;
  std::uint64_t last_wait_ = 0;
};

// Takes a frame for the length of a scope.
class FrameScope {
 public:
  FrameScope(Proxy::Impl& impl, Outputs& outputs) : impl_(impl), frame(impl.push_frame(outputs)) {}
  ~FrameScope() { impl_.pop_frame(); }
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;

 private:
  Proxy::Impl& impl_;

 public:
  Frame& frame;
};

}  // namespace perdure::proxy
