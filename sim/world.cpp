#include "sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/assert.hpp"
#include "script/script_runner.hpp"
#include "sim/proxy_node.hpp"
#include "sim/routes.hpp"
#include "transaction/key.hpp"

namespace perdure::sim {
namespace {

using transaction::TransactionHeader;

constexpr std::size_t gateway_count = 39;
constexpr std::uint64_t store_bytes = 96ULL << 20;                               // room for everything
constexpr std::uint64_t small_store_bytes = 1ULL << 20, small_store_steps = 16;  // that, and up to so many quarters more
constexpr std::uint64_t small_store_every = 5, upgrades_every = 2;               // seeds, by chance
constexpr std::uint64_t misbehaves_every = 8;                                    // calls
constexpr std::uint16_t upgrades_max = 40;
constexpr std::uint64_t events_per_call_max = 400;  // a call takes about 30, one whose gateway is silent 100
constexpr Duration between_looks = 500ms;           // at the states of all transactions
constexpr std::uint64_t script_every = 10;          // seeds
// What can happen to the proxy comes on average once in so long a time.
constexpr Duration between_faults = 700ms;

SocketAddress proxy_address() {
  return *SocketAddress::parse("10.0.0.1", 5060);
}
SocketAddress caller_address(std::size_t number) {
  return *SocketAddress::parse("10.1." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1), 5060);
}
SocketAddress hostile_address() {
  return *SocketAddress::parse("10.9.9.9", 5060);
}

proxy::ProxyOptions proxy_options() {
  proxy::ProxyOptions options;
  proxy::LocalSocket socket;
  socket.address = proxy_address();
  socket.advertised_host = "10.0.0.1";
  socket.advertised_port = 5060;
  options.sockets = {socket};
  options.secret = 42;
  return options;
}

NetworkOptions network_options(Random& random) {
  NetworkOptions options;
  options.latency = std::chrono::microseconds(200 + random.below(3000));
  options.jitter = std::chrono::microseconds(random.below(5000));
  if (random.below(2) == 0) return options;
  options.lost = static_cast<std::uint32_t>(random.below(30));
  options.doubled = static_cast<std::uint32_t>(random.below(30));
  options.delayed = static_cast<std::uint32_t>(random.below(30));
  options.delay = 300ms;
  return options;
}

class World {
 public:
  explicit World(const WorldOptions& options);
  WorldReport run();

 private:
  [[nodiscard]] WorldView view() { return {calls_, gateways_, node_->store(), 42, small_store_}; }
  [[nodiscard]] std::unique_ptr<ProxyNode> make_node();
  void add_calls();
  void choose_manners(CallerOptions& caller, SimulatedCall& call);
  void on_output(const SocketAddress& to, std::string_view bytes);
  void look();
  void fault();
  void hostile();
  [[nodiscard]] bool spoil(std::string& bytes);
  void spoil_store();
  [[nodiscard]] bool over() const { return network_.now() >= end_; }

  const WorldOptions& options_;
  Random random_;
  Random more_;  // of what came to the simulator later: the worlds of old seeds stay what they were but for that
  Network network_;
  bool small_store_, upgrades_;
  std::unique_ptr<ProxyNode> node_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::vector<SimulatedCall> calls_;
  std::vector<std::unique_ptr<Checker>> checkers_ = make_checkers();
  Time begin_, end_;
  bool clock_elapses_ = false;
  std::uint64_t restarts_ = 0, misbehaving_ = 0;
  bool spoiled_ = false;
  std::vector<std::string> seen_;  // branches of INVITEs that left, for a canary
};

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed * 2 + 1),
      more_(options.seed * 31 + 7),
      network_(options.seed, network_options(random_)),
      small_store_(more_.below(small_store_every) == 0),
      upgrades_(more_.below(upgrades_every) == 0),
      begin_(network_.now()),
      end_(begin_ + std::max<Duration>(5s, std::chrono::milliseconds(30 * options.calls))) {
  network_.set_trace_max(options.trace.empty() ? 0 : 2000);
  network_.set_trace_filter(options.trace);
  network_.attach(hostile_address(), [](const Packet&) {});
  node_ = make_node();
  node_->set_on_output([this](const SocketAddress& to, std::string_view bytes) { on_output(to, bytes); });
  if (options.canary != Canary::None) node_->set_filter([this](std::string& bytes) { return spoil(bytes); });
  for (std::size_t i = 0; i < gateway_count; ++i) {
    const auto& kind = gateway_kinds()[i % gateway_kinds().size()];
    gateways_.push_back(std::make_unique<Gateway>(network_, GatewayOptions{gateway_address(i), kind.answers, kind.answer_crosses_cancel}));
  }
  add_calls();
  network_.after(between_looks, [this] { look(); });
  network_.after(between_faults, [this] { fault(); });
  network_.after(10ms, [this] { hostile(); });
}

std::unique_ptr<ProxyNode> World::make_node() {
  NodeOptions node;
  node.proxy = proxy_options();
  node.seed = options_.seed;
  node.store_bytes = small_store_ ? small_store_bytes + more_.below(small_store_steps) * (256 << 10) : store_bytes;
  node.partitions = 8;
  node.workers = 1 + static_cast<unsigned>(random_.below(ProxyNode::workers_max));
  // A process is missing for a while in every second seed; in the others the next one is there at once.
  node.down_time = random_.below(2) == 0 ? Duration{} : Duration(std::chrono::milliseconds(1 + random_.below(200)));
  clock_elapses_ = random_.below(4) == 0;
  node.clock = clock_elapses_ ? store::ClockPolicy::Elapsed : store::ClockPolicy::Frozen;
  if (!options_.script && options_.seed % script_every != 0)
    return std::make_unique<ProxyNode>(network_, node, [](unsigned) { return std::make_unique<PlanRoutes>(); });
  script::ScriptOptions script;
  script.path = PERDURE_SIM_SCRIPT;
  return std::make_unique<ProxyNode>(network_, node, [script, seed = options_.seed](unsigned worker) {
    auto runner = script::ScriptRunner::create(script, worker, Random(seed + worker));
    PERDURE_ASSERT(runner.has_value());
    return std::move(*runner);
  });
}

void World::add_calls() {
  calls_.reserve(options_.calls);
  for (std::size_t i = 0; i < options_.calls; ++i) {
    SimulatedCall call;
    call.plan = choose_plan(random_, gateway_count, end_ - begin_);
    CallerOptions caller;
    caller.address = caller_address(i);
    caller.proxy = proxy_address();
    caller.call_id = fmt::format("call-{}-{}", options_.seed, i);
    caller.user = call.plan.user();
    caller.cancel_after = call.plan.cancel_after;
    caller.hold = std::chrono::milliseconds(50 + random_.below(2000));
    choose_manners(caller, call);
    call.caller = std::make_unique<Caller>(network_, caller);
    network_.after(call.plan.starts, [agent = call.caller.get()] { agent->start(); });
    calls_.push_back(std::move(call));
  }
}

void World::choose_manners(CallerOptions& caller, SimulatedCall& call) {
  if (options_.canary != Canary::None || more_.below(misbehaves_every) != 0) return;
  constexpr std::uint64_t kinds = 5;
  const auto manners = static_cast<Manners>(1 + more_.below(kinds + 1));
  caller.again_after = std::chrono::milliseconds(1 + more_.below(2000));
  ++misbehaving_;
  if (static_cast<std::uint64_t>(manners) <= kinds) {
    caller.manners = manners;
    return;
  }
  // The same user agent has called before, and uses the branch of that call again.
  if (calls_.empty() || calls_.back().shares_branch) return;
  SimulatedCall& other = calls_.back();
  other.shares_branch = call.shares_branch = true;
  caller.host = other.caller.get();
  caller.address = caller_address(calls_.size() - 1);
  caller.branch = other.caller->call_id() + "inv";
  call.plan.starts = other.plan.starts + caller.again_after;
}

void World::on_output(const SocketAddress& to, std::string_view bytes) {
  if (to == hostile_address()) return;
  sip::Message message;
  if (!message.parse(bytes) || !message.check()) return;  // the user agents report what is not valid
  const auto world = view();
  for (const auto& checker : checkers_) checker->on_output(world, network_.now(), to, message);
}

void World::look() {
  if (node_->has_store()) {
    spoil_store();
    const auto world = view();
    const Time now = node_->store().now(network_.now().time_since_epoch().count());
    for (const auto& checker : checkers_) checker->on_state(world, now);
  }
  if (!over()) network_.after(between_looks, [this] { look(); });
}

// A death at any write or after any output, those of an attach included, an orderly restart with another number of workers, or a peer that
// cannot be reached for a while.
void World::fault() {
  // Whatever ends this process, the next one is of a newer program.
  if (upgrades_ && node_->layout() < upgrades_max && more_.below(4) == 0) node_->upgrade();
  switch (random_.below(8)) {
    case 0:
      node_->restart(1 + static_cast<unsigned>(random_.below(ProxyNode::workers_max)));
      ++restarts_;
      // The clock is set while nobody runs: with frozen deadlines that must mean nothing. Where time elapses it is what it says.
      if (!clock_elapses_ && random_.below(2) == 0) node_->jump_wall_clock(std::chrono::minutes(random_.below(2880)) - 24h);
      break;
    case 1:
      network_.cut(gateway_address(random_.below(gateway_count)), network_.now() + std::chrono::milliseconds(random_.below(3000)));
      break;
    case 2:
    case 3:
      node_->die_at({.at_output = node_->outputs() + 1 + random_.below(40)});
      break;
    default:
      node_->die_at({.at_write = node_->writes() + random_.below(2000)});
      break;
  }
  if (!over()) network_.after(Duration(static_cast<std::int64_t>(random_.below(2 * between_faults.count()))), [this] { fault(); });
}

// Somebody who knows what the others say, and repeats it damaged, or sends what nobody asked for.
void World::hostile() {
  static constexpr std::string_view samples[] = {
      "CANCEL sip:s.1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKnone{0}\r\nFrom: <sip:x@h>;tag=1\r\nTo: "
      "<sip:y@h>\r\nCall-ID: hostile{0}\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
      "ACK sip:s.1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKnone{0}\r\nFrom: <sip:x@h>;tag=1\r\nTo: "
      "<sip:y@h>;tag=2\r\nCall-ID: hostile{0}\r\nCSeq: 1 ACK\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
      "BYE sip:gw@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKnone{0}\r\nFrom: <sip:x@h>;tag=1\r\nTo: "
      "<sip:y@h>;tag=2\r\nCall-ID: hostile{0}\r\nCSeq: 2 BYE\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKp{0:08x}00{0:08x}.{0:08x}\r\nVia: SIP/2.0/UDP "
      "10.9.9.9:5060;branch=z9hG4bKx\r\nFrom: <sip:x@h>;tag=1\r\nTo: <sip:y@h>;tag=2\r\nCall-ID: hostile{0}\r\nCSeq: 1 "
      "INVITE\r\nContent-Length: 0\r\n\r\n",
      "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKo{0}\r\nFrom: <sip:x@h>;tag=1\r\nTo: "
      "<sip:y@h>\r\nCall-ID: hostile{0}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 99\r\n\r\n",
  };
  std::string text = fmt::format(fmt::runtime(samples[random_.below(std::size(samples))]), random_.below(2000));
  if (random_.below(3) == 0) text[random_.below(text.size())] = static_cast<char>(random_.below(256));
  network_.send(hostile_address(), proxy_address(), text);
  if (!over()) network_.after(std::chrono::milliseconds(20 + random_.below(200)), [this] { hostile(); });
}

WorldReport World::run() {
  WorldReport report;
  const bool quiet = network_.run(end_ + 20min, events_per_call_max * (options_.calls + 100));
  PERDURE_ASSERT(node_->has_store());  // nothing is down for long
  const auto world = view();
  for (const auto& checker : checkers_) {
    checker->at_end(world);
    for (const auto& violation : checker->violations()) report.violations.push_back(violation);
  }
  if (!quiet) report.violations.push_back({"calls end", {}, "something still happens long after the last call"});
  report.digest = network_.digest();
  report.packets = network_.sent();
  report.lost = network_.lost();
  report.calls = calls_.size();
  report.restarts = restarts_;
  report.crashes = node_->crashes();
  report.upgrades = node_->layout();
  report.misbehaving = misbehaving_;
  for (const auto& call : calls_) {
    report.answered += !call.caller->seen().answered.empty();
    report.cancelled += call.caller->seen().cancel_sent;
    report.refused += call.caller->seen().finals.contains(503);
  }
  for (const auto& packet : network_.trace())
    report.ladder += fmt::format("  {:10.3f} s  {} -> {}  {}\n", static_cast<double>((packet.at - begin_).count()) / 1e6,
                                 packet.from.text(), packet.to.text(), packet.bytes.substr(0, packet.bytes.find('\r')));
  return report;
}

// ---- canaries ----

bool is_request(std::string_view bytes, std::string_view method) {
  return bytes.starts_with(method) && bytes.size() > method.size() && bytes[method.size()] == ' ';
}
bool answers_invite(std::string_view bytes) {
  return bytes.starts_with("SIP/2.0 2") && bytes.find(" INVITE\r\n") != std::string_view::npos;
}

// One more in the last digit of the branch's nonce.
void change_branch(std::string& bytes) {
  const auto at = bytes.find(transaction::BranchParameter::prefix);
  if (at == std::string::npos) return;
  char& digit = bytes[at + 25];
  digit = digit == '9' ? '0' : static_cast<char>(digit + 1);
}

bool World::spoil(std::string& bytes) {
  switch (options_.canary) {
    case Canary::SecondFinal:
      if (bytes.starts_with("SIP/2.0 4") || bytes.starts_with("SIP/2.0 5")) bytes.insert(12, std::to_string(node_->outputs()));
      return true;
    case Canary::InviteTwice: {
      if (!is_request(bytes, "INVITE")) return true;
      const std::string branch = bytes.substr(bytes.find(transaction::BranchParameter::prefix), transaction::BranchParameter::size);
      if (std::ranges::find(seen_, branch) != seen_.end())
        change_branch(bytes);
      else
        seen_.push_back(branch);
      return true;
    }
    case Canary::WrongCancel:
      if (is_request(bytes, "CANCEL")) change_branch(bytes);
      return true;
    case Canary::ForgottenCancel:
      return !is_request(bytes, "CANCEL");
    case Canary::ForgottenAnswer:
      return !answers_invite(bytes);
    case Canary::Uncommitted:
      if (is_request(bytes, "INVITE")) change_branch(bytes);
      return true;
    default:
      return true;
  }
}

// Changes one transaction behind the proxy's back.
void World::spoil_store() {
  if (spoiled_ || (options_.canary != Canary::StateBack && options_.canary != Canary::LeftRecord)) return;
  auto& partition = node_->store().partition(0);
  if (options_.canary == Canary::LeftRecord) {
    const auto id = partition.reserve<TransactionHeader>();
    TransactionHeader header;
    header.state = transaction::State::Completed;
    header.status = 486;
    header.method = sip::Method::Invite;
    header.created = network_.now();
    partition.create(id, header);
    spoiled_ = true;
    return;
  }
  partition.for_each<TransactionHeader>([&](store::RecordId id, const TransactionHeader& header) {
    if (header.state != transaction::State::Accepted || spoiled_ || network_.now() < begin_ + 3s) return;
    TransactionHeader changed = header;
    changed.state = transaction::State::Proceeding;
    partition.commit(id, changed);
    spoiled_ = true;
  });
}

}  // namespace

const std::vector<CanaryKind>& canary_kinds() {
  static const std::vector<CanaryKind> kinds = {
      {Canary::None, "no bug", ""},
      {Canary::SecondFinal, "second final", "one final response"},
      {Canary::InviteTwice, "INVITE twice", "no INVITE twice"},
      {Canary::WrongCancel, "wrong CANCEL", "CANCEL fits its INVITE"},
      {Canary::ForgottenCancel, "forgotten CANCEL", "calls end"},
      {Canary::ForgottenAnswer, "forgotten answer", "calls end"},
      {Canary::Uncommitted, "uncommitted", "sent means committed"},
      {Canary::StateBack, "state back", "states go forward"},
      {Canary::LeftRecord, "left record", "no record outlives its timers"},
  };
  return kinds;
}

WorldReport run_world(const WorldOptions& options) {
  auto report = World(options).run();
  const auto named = std::ranges::find_if(report.violations, [](const Violation& one) { return !one.call_id.empty(); });
  if (!options.trace.empty() || named == report.violations.end() || options.canary != Canary::None) return report;
  // The same run again, with the ladder of that call.
  WorldOptions again = options;
  again.trace = named->call_id;
  report.ladder = World(again).run().ladder;
  return report;
}

}  // namespace perdure::sim
