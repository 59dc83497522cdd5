#pragma once
// All connections of the server: listens, connects, reads, writes, and moves messages between them and the rings. One thread, no locks.
//
// A turn: what the engine has published is queued and written, what can be read is read and put into the rings, the workers are woken.
// Nothing in it waits for a peer: whatever a peer does not take or does not send stays in its own bounded buffers.
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "edge/connections/connection.hpp"
#include "edge/connections/counters.hpp"
#include "edge/connections/gathering.hpp"
#include "edge/connections/handed_connections.hpp"
#include "edge/connections/options.hpp"
#include "edge/connections/relay.hpp"
#include "edge/connections/sent_messages.hpp"
#include "edge/connections/tls.hpp"
#include "edge/ring_region.hpp"
#include "metrics/histogram.hpp"

namespace perdure::edge {

// As `core.tcp_list` shows it.
struct ConnectionView {
  std::uint64_t id = 0;
  Transport transport = Transport::Tcp;
  std::string peer, state, security;
  bool inbound = true;
  std::uint16_t socket = 0;
  std::int64_t age_s = 0, idle_s = 0;
  std::uint64_t messages_received = 0, messages_sent = 0, queued_bytes = 0;
};

class Hub {
 public:
  // `generation`: the upper half of all ids, so that they differ from those of every other hub whose connections may still be known. Not 0.
  Hub(ConnectionOptions options, RingRegion& rings, std::uint32_t generation);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Opens the listeners; nothing is accepted before the first turn.
  [[nodiscard]] Result<> open();
  // The same with listeners of another process, in the order of the options; takes the descriptors. The rings are the other's until take().
  [[nodiscard]] Result<> adopt(const std::vector<int>& listeners);
  [[nodiscard]] std::vector<int> listener_descriptors() const;
  // Of each listener, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<SocketAddress>& addresses() const { return addresses_; }

  // For connections to come; those that are there keep theirs. Null: none.
  void set_tls(std::shared_ptr<const TlsContext> tls) { tls_ = std::move(tls); }

  // Waits for at most `longest` for something to do, and does it.
  void turn(Duration longest);
  // Nothing is accepted or read any more; what is published and queued leaves.
  void end();
  [[nodiscard]] bool has_ended() const;  // nothing is queued any more

  // ---- hub_hand_over.cpp: for a hub in another process ----
  // Nothing is accepted or read until resume(): the engine is about to change.
  void pause();
  void resume();
  // All connections and what is to be told to the next engine; what stays here goes to `relay`. No engine uses the rings now, and the
  // caller makes no turn until take().
  [[nodiscard]] HandedConnections give_away(Relay& relay);
  // Goes on with them, and with the rings where they are now.
  void take(HandedConnections handed);

  [[nodiscard]] const ConnectionCounters& counters() const { return counters_; }
  // What messages waited in the rings of all workers until they were taken from there to be sent. In any thread.
  [[nodiscard]] const metrics::Histogram& ring_outbound() const { return ring_outbound_; }
  [[nodiscard]] std::vector<ConnectionView> list(std::size_t limit) const;
  // False: there is no such connection.
  bool close_connection(std::uint64_t id);
  // May be used in any thread: the current or the next turn does not wait.
  void interrupt();

 private:
  struct Listening {
    Listener options;
    int descriptor = -1;
  };
  struct Source {
    std::uint32_t connections = 0;
    double tokens = 0;
    SteadyTime refilled;
  };
  struct BackOff {
    std::uint32_t failures = 0;
    SteadyTime until;
  };
  struct PeerHash {
    std::size_t operator()(const PeerName& peer) const;
  };
  struct SourceHash {
    std::size_t operator()(const SocketAddress& address) const;
  };
  struct Undelivered {
    std::deque<Outgoing> queue;
    std::size_t bytes = 0;
  };

  static constexpr std::uint64_t ring_event = 0, first_listener = 1;  // what epoll tells; ids of connections are larger

  // ---- hub.cpp: the loop ----
  [[nodiscard]] Result<> load_tls();
  void listen_on(const Listener& listener, int descriptor);
  void use_rings();
  [[nodiscard]] int wait_ms(Duration longest) const;
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] bool has_published() const;
  [[nodiscard]] bool is_idle() const;
  [[nodiscard]] bool gather();
  void on_event(std::uint64_t id, std::uint32_t events);
  void set_interest(Connection& connection);
  Connection* find(std::uint64_t id);

  // ---- hub_open.cpp: connections come and go ----
  void set_accepting(bool accepting);
  void accept(Listening& listening);
  void accept_one(Listening& listening, int descriptor, const SocketAddress& peer);
  Connection& add(std::unique_ptr<Connection> connection);
  [[nodiscard]] bool admit_source(const SocketAddress& source);
  Connection* connect(const Listening& listening, const SocketAddress& destination, std::string_view host);
  void on_connected(Connection& connection);
  [[nodiscard]] static std::uint64_t name_hash(std::string_view host);
  [[nodiscard]] bool wants_name(Transport transport) const;
  [[nodiscard]] Connection* find_peer(const SocketAddress& destination, Transport transport, std::string_view host);
  void begin(Connection& connection);      // the peer is known
  void on_secure(Connection& connection);  // after the handshake of TLS, if there is one
  void on_open(Connection& connection);    // messages may come and go
  void connect_failed(Connection& connection, std::string_view why);
  void remember_peer(const Connection& connection);
  void close(Connection& connection, Counter& reason);
  static SocketAddress source_key(const SocketAddress& address);

  // ---- hub_input.cpp ----
  void handshake(Connection& connection);
  void read_proxy_header(Connection& connection);
  void read(Connection& connection);
  void write_on(Connection& connection);
  void take_input(Connection& connection, std::span<char> fresh);
  void count_input(Connection& connection);
  std::size_t consume(Connection& connection, std::span<char> bytes);
  std::size_t consume_stream(Connection& connection, std::string_view bytes);
  std::size_t consume_frames(Connection& connection, std::span<char> bytes);
  std::size_t upgrade(Connection& connection, std::string_view bytes);
  void on_web_message(Connection& connection, std::string_view message);
  void answer_and_end(Connection& connection, std::string answer, Counter& reason);
  void on_message(Connection& connection, std::string_view message);
  void refuse_stream(Connection& connection, const sip::Frame& frame);
  // Null: done. Otherwise the counter of what stands in the way.
  [[nodiscard]] Counter* hand_over(Connection& connection, std::string_view message);
  [[nodiscard]] bool put(std::uint32_t worker, const Entry& entry);
  void retry(std::vector<std::uint64_t>& waiting);
  void stall(Connection& connection, std::string_view message, Counter& reason);

  // ---- hub_output.cpp ----
  void take_published();
  void route(Outgoing outgoing);
  void enqueue(Connection& connection, Outgoing outgoing);
  void flush(Connection& connection);
  [[nodiscard]] std::string_view next_bytes(const Connection& connection);
  void count_written(Connection& connection, std::size_t bytes);
  void flush_dirty();
  void come_back(Outgoing outgoing);
  void return_undelivered();
  void publish();
  [[nodiscard]] std::uint32_t worker_of(std::string_view message) const;
  void account(std::int64_t bytes);

  // ---- hub_alias.cpp ----
  void take_alias(Connection& connection, std::string_view message);
  void give_alias(const Entry& order);
  void add_alias(Connection& connection, const PeerName& alias);

  // ---- hub_hand_over.cpp ----
  [[nodiscard]] HandedConnection hand_over(Connection& connection, int& descriptor, Relay& relay);
  void stay(Connection& connection, HandedConnection& handed, int& descriptor, Relay& relay);
  void take_one(HandedConnection handed, int descriptor);
  void forget_all();

  // ---- hub_timers.cpp ----
  void tick();
  void check_deadlines(Connection& connection);
  void check_open(Connection& connection);
  void keep_alive(Connection& connection);
  static void on_pong(Connection& connection);

  const ConnectionOptions options_;
  RingRegion& rings_;
  std::uint64_t next_id_;
  std::shared_ptr<const TlsContext> tls_;
  std::vector<Listening> listening_;
  std::vector<SocketAddress> addresses_;
  int epoll_ = -1;
  bool ending_ = false, paused_ = false;
  bool accepting_ = true;  // false: there was no descriptor left
  Gathering gathering_{options_.gather};
  SteadyTime now_, next_tick_;
  std::vector<RingProducer> inbound_;
  std::vector<RingConsumer> outbound_;
  std::vector<std::uint64_t> damages_;
  std::vector<Undelivered> undelivered_;          // of each worker
  std::vector<std::uint8_t> unpublished_, full_;  // of each worker, in this turn
  std::vector<SentMessages> sent_;                // of each worker
  boost::unordered_flat_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  boost::unordered_flat_map<PeerName, std::uint64_t, PeerHash> peers_;
  boost::unordered_flat_map<SocketAddress, Source, SourceHash> sources_;
  boost::unordered_flat_map<PeerName, BackOff, PeerHash> back_off_;
  std::vector<std::uint64_t> dirty_, read_on_, handshaking_;
  std::vector<std::uint64_t> stalled_, throttled_;  // wait for room in a ring, for their source's next second
  std::uint32_t outbound_count_ = 0;
  std::vector<std::unique_ptr<Connection>> closed_;  // of this turn: whoever has a reference still may use it
  std::string scratch_, gathered_;
  ConnectionCounters counters_;
  metrics::Histogram ring_outbound_;
};

}  // namespace perdure::edge
