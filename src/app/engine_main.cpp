#include "app/engine_main.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "app/account_log.hpp"
#include "app/capabilities.hpp"
#include "app/capability_methods.hpp"
#include "app/drain_methods.hpp"
#include "app/engine_counters.hpp"
#include "app/engine_manifest.hpp"
#include "app/engine_methods.hpp"
#include "app/engine_reload.hpp"
#include "app/live_state.hpp"
#include "app/log_methods.hpp"
#include "app/program.hpp"
#include "app/proxy_options.hpp"
#include "app/routing_methods.hpp"
#include "app/script_events.hpp"
#include "app/trace_methods.hpp"
#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "dispatch/locator.hpp"
#include "dispatch/prober.hpp"
#include "edge/channel.hpp"
#include "edge/ring_region.hpp"
#include "edge/shared_region.hpp"
#include "engine/clock.hpp"
#include "net/udp_socket.hpp"

namespace perdure::app {
namespace {

using edge::Message;

constexpr Duration load_tick_interval = 1s;
constexpr std::uint32_t tables_partitions = 8, tables_extent_bytes = 64 * 1024 + 4096;

std::uint64_t random_word() {
  std::uint64_t word = 0;
  PERDURE_ASSERT(getrandom(&word, sizeof word, 0) == sizeof word);
  return word;
}

// Another number after each boot of the machine.
std::uint64_t read_boot_id() {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> text;
  return checksum(text);
}

Result<Config> read_config(const EngineArguments& arguments) {
  if (arguments.config_path.empty()) return embedded_config();
  auto text = read_whole(arguments.configuration);
  if (!text) return std::unexpected(text.error());
  return parse_config(*text, arguments.config_path);
}

class EngineProcess {
 public:
  explicit EngineProcess(const EngineArguments& arguments) : arguments_(arguments), channel_(arguments.channel) {}
  ~EngineProcess() {
    if (engine_) engine_->stop();
  }
  EngineProcess(const EngineProcess&) = delete;
  EngineProcess& operator=(const EngineProcess&) = delete;

  int run() {
    if (auto done = initialise(); !done) {
      say(Message::InitialiseFailed, done.error().message);
      return 1;
    }
    say(Message::Initialised, engine_manifest().text());
    while (!over_) {
      pollfd waiting{channel_.descriptor(), static_cast<short>(POLLIN | (channel_.wants_write() ? POLLOUT : 0)), 0};
      if (poll(&waiting, 1, -1) < 0 && errno != EINTR) return 1;
      if ((waiting.revents & POLLOUT) && !channel_.flush()) return 1;
      const bool open = channel_.fill();
      while (auto received = channel_.take()) on_message(*received);
      if (!open) return over_ ? exit_code_ : 1;  // the edge is gone
    }
    return exit_code_;
  }

 private:
  // Before the last message the caller ends the process, so it must be out.
  void say(Message type, std::string_view payload = {}) {
    (void)channel_.send(type, payload);
    while (channel_.wants_write()) {
      pollfd waiting{channel_.descriptor(), POLLOUT, 0};
      if (poll(&waiting, 1, 1000) <= 0 || !channel_.flush()) return;
    }
  }

  Result<> initialise() {
    auto config = read_config(arguments_);
    if (!config) return std::unexpected(config.error());
    config_ = std::move(*config);
    log::open("engine", config_.log);
    auto region = edge::SharedRegion::map(arguments_.shared);
    if (!region) return std::unexpected(region.error());
    region_ = std::move(*region);
    if (!arguments_.rings.empty()) {
      auto rings = edge::RingRegion::map(arguments_.rings);
      if (!rings) return std::unexpected(rings.error());
      rings_ = std::move(*rings);
    }
    map_metrics();
    dispatcher_.emplace(config_.dispatcher.options);
    if (!config_.dispatcher.list.empty())
      if (auto loaded = dispatcher_->reload(config_.dispatcher.list); !loaded) return std::unexpected(loaded.error());
    auto made = Capabilities::create(config_);
    if (!made) return std::unexpected(made.error());
    capabilities_ = std::move(*made);
    script_.path = config_.script;
    script_.instruction_limit = config_.script_instructions;
    script_.memory_limit_bytes = config_.script_memory_bytes;
    script_.processor_us = engine::processor_us;
    script_.time_limit = config_.script_time;
    script_.dispatcher = &*dispatcher_;
    script_.wall_us = engine::wall_us;
    script_.delay_max = config_.async.delay_max;
    script_.callbacks = configured_callbacks(config_);
    script_.account_extra = config_.acc.extra;
    auto account_log = AccountLog::open(config_.acc.log_file);
    if (!account_log) return std::unexpected(account_log.error());
    account_log_ = std::move(*account_log);
    events_.emplace(config_, *dispatcher_);
    capabilities_->offer_to(script_);
    const std::uint64_t seed = random_word();
    for (std::uint32_t worker = 0; worker < region_->worker_count(); ++worker) {
      auto runner = script::ScriptRunner::create(script_, worker, Random(seed + worker));
      if (!runner) return std::unexpected(runner.error());
      runners_.push_back(runner->get());
      new_runners_.push_back(std::move(*runner));
    }
    engine_.emplace(engine_options());
    add_engine_methods(methods_, {*engine_, *dispatcher_, *capabilities_, runners_});
    add_capability_methods(methods_, *engine_, *capabilities_);
    add_routing_methods(methods_, *engine_, *capabilities_);
    add_trace_methods(methods_, *engine_);
    add_engine_log_methods(methods_, config_.log, beside_store(log_levels_name));
    add_engine_drain_methods(methods_, *engine_, config_.state.directory);
    return {};
  }

  // What cannot be counted there is counted by this process alone.
  void map_metrics() {
    if (arguments_.metrics < 0) return;
    auto mapped = metrics::Region::map(arguments_.metrics, region_->worker_count(), counters_layout());
    if (mapped)
      metrics_ = std::move(*mapped);
    else
      log::notice("{}: what this engine counts is not in the metrics", mapped.error().message);
  }

  engine::EngineOptions engine_options() {
    engine::EngineOptions options;
    options.proxy = proxy_options(config_);
    options.proxy.locating.names = &capabilities_->resolver();
    options.proxy.locating.blocked = &capabilities_->blocked();
    options.workers = region_->worker_count();
    add_sockets(options);
    options.rings = rings_.get();
    options.metrics = metrics_.get();
    options.persist = config_.state.persist;
    options.store.path = arguments_.store;
    options.store.max_bytes = arguments_.store_bytes;
    options.store.partitions = config_.state.partitions;
    options.store.durability = config_.state.durability;
    options.store.clock = config_.state.clock;
    options.store.boot_id = read_boot_id();
    options.store.secret = random_word();
    options.region = region_.get();
    options.gather = config_.engine.gather;
    options.quarantine = arguments_.quarantine;
    options.trace = trace_path();
    options.trace_bytes = config_.trace.bytes;
    options.seed = random_word();
    options.make_runner = [this](std::uint32_t worker) -> std::unique_ptr<proxy::RouteRunner> { return std::move(new_runners_[worker]); };
    options.on_opened = [this](Time now) -> Result<> {
      take_log_levels(config_.log, beside_store(log_levels_name));
      // Calls do not wait for the states of destinations.
      if (auto done = dispatcher_->attach(arguments_.dispatcher_state, now); !done)
        log::error("destinations begin with the states of their list: {}", done.error().message);
      capabilities_->attach(tables_store_options(), now);
      if (!config_.lcr.list.empty()) open_gateway_states(now);
      drain_ = drain_at_attach(config_.state.directory);
      return {};
    };
    options.on_account = [this](std::string_view line) { account_log_->write(line); };
    options.on_worker_attached = [this](std::uint32_t worker, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
      proxy.set_drain(drain_);
      if (worker == 0) events_->on_start(now, proxy, outputs);
    };
    options.on_joined = [this] { capabilities_->disconnect(); };
    options.on_worker_tick = [this](std::uint32_t worker, Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
      if (metrics_) metrics_->worker(worker).script_bytes.set(runners_[worker]->memory_bytes());
      if (worker == 0) on_tick(now, proxy, outputs);
    };
    return options;
  }

  std::string beside_store(std::string_view name) const { return (std::filesystem::path(arguments_.store).parent_path() / name).string(); }

  // Empty: none; what an engine of another configuration has kept goes.
  std::string trace_path() const {
    const auto path = beside_store(trace_name);
    if (config_.trace.bytes != 0) return path;
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    return {};
  }

  // Where the server listens: of UDP a socket for each worker says it, of the other transports the edge.
  void add_sockets(engine::EngineOptions& options) {
    auto descriptor = arguments_.sockets.begin();
    auto text = arguments_.listening.begin();
    for (const auto& listen : config_.listen) {
      SocketAddress address;
      if (listen.transport == Transport::Udp) {
        PERDURE_ASSERT(arguments_.sockets.end() - descriptor >= options.workers);
        address = net::local_address(*descriptor);
        options.sockets.insert(options.sockets.end(), descriptor, descriptor + options.workers);
        descriptor += options.workers;
      } else {
        PERDURE_ASSERT(text != arguments_.listening.end());
        const auto listening = parse_listen(*text++);
        PERDURE_ASSERT(listening.has_value());
        address = listening->address;
        options.sockets.insert(options.sockets.end(), options.workers, -1);
      }
      options.proxy.sockets.push_back({.transport = listen.transport,
                                       .address = address,
                                       .advertised_host = config_.advertised_host.empty() ? address.host_text() : config_.advertised_host,
                                       .advertised_port = config_.advertised_port ? config_.advertised_port : address.port});
    }
  }

  // Beside the states of destinations, where an edge of an older program has made the folder, too.
  void open_gateway_states(Time now) {
    const auto path = std::filesystem::path(arguments_.dispatcher_state).replace_filename("gateways.state");
    if (auto opened = capabilities_->lcr().open_states(path, now); !opened)
      log::error("all gateways of [lcr] begin in work: {}", opened.error().message);
  }

  store::Options tables_store_options() const {
    store::Options options;
    options.path = arguments_.tables;
    options.max_bytes = config_.state.tables_max_bytes;
    options.partitions = tables_partitions;
    options.extent_bytes = tables_extent_bytes;
    options.durability = config_.state.durability;
    options.clock = config_.state.clock;
    options.quarantine = arguments_.quarantine;
    options.boot_id = read_boot_id();
    options.secret = random_word();
    options.monotonic_us = engine::monotonic_us();
    options.wall_us = engine::wall_us();
    return options;
  }

  // In the thread of worker 0, which alone touches the prober.
  void on_tick(Time now, proxy::Proxy& proxy, proxy::Outputs& outputs) {
    if (!prober_) {
      prober_.emplace(
          *dispatcher_,
          dispatch::Prober::Share{.partition_count = engine_->partition_count(), .worker = 0, .worker_count = engine_->workers()},
          Random(random_word()));
      proxy.set_local_listener(&*prober_);
      locator_.emplace(*dispatcher_, proxy.options());
    }
    prober_->on_tick(now, proxy, outputs);
    events_->on_tick(now, proxy, outputs);
    if (now < next_load_tick_) return;
    next_load_tick_ = now + load_tick_interval;
    dispatcher_->on_tick(now);
    locator_->on_tick();
    count_gateways();
    capabilities_->on_tick(now, engine::wall_us());
  }

  // A new list has other destinations to count for, and a host name may have other addresses than before.
  void count_gateways() {
    const auto list = dispatcher_->list();
    if (!metrics_ || !list) return;
    std::vector<metrics::Gateways::Gateway> gateways;
    for (const auto& set : list->sets)
      for (const auto& destination : set->destinations)
        for (const auto& server : dispatcher_->servers_of(destination).value_or(std::vector<locate::Server>()))
          gateways.push_back({destination.uri, server.address});
    if (list == counted_ && gateways == counted_gateways_) return;
    counted_ = list;
    counted_gateways_ = gateways;
    engine_->set_gateways(std::make_shared<const metrics::Gateways>(*metrics_, gateways));
  }

  void on_message(const edge::Channel::Received& received) {
    switch (received.type) {
      case Message::Attach:
        return attach(edge::death_from(received.payload).value_or(edge::Death::None));
      case Message::Stop:
        engine_->stop();
        capabilities_->close();
        say(Message::Stopped);
        over_ = true;
        return;
      case Message::Reload: {
        const auto reloaded = reload(received.payload);
        return say(Message::ReloadResult, reloaded ? std::string_view() : reloaded.error().message);
      }
      case Message::RpcRequest:
        return answer(received.payload);
      default:
        log::warning("the edge sent message {}, which edges do not send", static_cast<int>(received.type));
    }
  }

  void attach(edge::Death death) {
    auto report = engine_->attach(death);
    if (report) {
      attached_ = true;
      return say(Message::Attached, admin::to_text({{"recovered", report->recovered},
                                                    {"dropped", report->dropped},
                                                    {"redelivered", report->redelivered},
                                                    {"quarantined_messages", report->quarantined_messages},
                                                    {"quarantined_records", report->quarantined_records},
                                                    {"attach_us", report->attach_duration.count()}}));
    }
    say(Message::AttachFailed, report.error().message);
    over_ = true;
    exit_code_ = 1;
  }

  Result<> reload(const std::string& payload) {
    if (!attached_) return fail("this engine is not attached");
    const auto request = ReloadRequest::parse(payload);
    if (!request) return std::unexpected(request.error());
    return app::reload({*engine_, runners_, *dispatcher_, *capabilities_, config_}, *request);
  }

  void answer(const std::string& payload) {
    const auto parts = edge::Channel::split_id(payload);
    if (!parts) return;
    methods_.dispatch(parts->second, [this, id = parts->first](const std::string& text) {
      if (text.size() + 64 > edge::channel_message_bytes_max)
        say(Message::RpcResponse,
            edge::Channel::with_id(id, admin::to_text(admin::make_error({admin::rpc_code::failed, "the answer is too large"}))));
      else
        say(Message::RpcResponse, edge::Channel::with_id(id, text));
    });
  }

  const EngineArguments& arguments_;
  edge::Channel channel_;
  Config config_;
  std::unique_ptr<edge::SharedRegion> region_;
  std::unique_ptr<edge::RingRegion> rings_;
  std::unique_ptr<metrics::Region> metrics_;
  std::shared_ptr<const dispatch::List> counted_;  // whose destinations are counted
  std::vector<metrics::Gateways::Gateway> counted_gateways_;
  std::optional<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<Capabilities> capabilities_;
  script::ScriptOptions script_;
  std::vector<std::unique_ptr<script::ScriptRunner>> new_runners_;  // until the engine takes them
  std::vector<script::ScriptRunner*> runners_;
  std::optional<dispatch::Prober> prober_;
  std::optional<dispatch::Locator> locator_;
  std::optional<ScriptEvents> events_;
  std::unique_ptr<AccountLog> account_log_;
  proxy::Drain drain_;  // as the workers begin with it
  Time next_load_tick_ = Time::min();
  std::optional<engine::Engine> engine_;
  admin::MethodTable methods_;
  bool attached_ = false, over_ = false;
  int exit_code_ = 0;
};

}  // namespace

int engine_main(const EngineArguments& arguments) {
  // A signal to the whole group (Ctrl-C, systemd) is for the edge, which stops its engines in order.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) (void)::signal(number, SIG_IGN);
  (void)prctl(PR_SET_NAME, "perdure");  // it was started by the number of a descriptor
  return EngineProcess(arguments).run();
}

}  // namespace perdure::app
