#pragma once
// The edge process: everything that `perdure run` holds, and what it does with it.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/json_rpc.hpp"
#include "admin/rpc_server.hpp"
#include "app/administration.hpp"
#include "app/config.hpp"
#include "app/connections_host.hpp"
#include "app/hand_over.hpp"
#include "app/live_state.hpp"
#include "app/service_manager.hpp"
#include "app/state_directory.hpp"
#include "base/result.hpp"
#include "edge/descriptor_channel.hpp"
#include "edge/supervisor.hpp"
#include "trace/hep_exporter.hpp"

namespace perdure::app {

class Server {
 public:
  // `text` is what `config` was read from, `program` the path of this program. All outlive the server.
  Server(const Config& config, const std::string& text, const std::string& program);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Returns the exit code when it has stopped.
  [[nodiscard]] int run();
  // As the successor of another edge, which has handed this over. Takes `predecessor`, the channel to it.
  [[nodiscard]] int take_over(HandOver taken, std::unique_ptr<edge::DescriptorChannel> predecessor);

 private:
  using Done = admin::MethodTable::Done;

  [[nodiscard]] Result<> start();
  [[nodiscard]] Result<> open_rpc();
  void make_rpc();
  [[nodiscard]] Result<> open_supervisor();
  [[nodiscard]] Result<edge::SupervisorOptions> supervisor_options() const;
  [[nodiscard]] std::vector<std::string> listen_texts() const;
  void say_ready();
  void start_export();
  void keep_descriptors();
  int serve();
  int leave();

  void wait_for_signal();
  void on_signal(int number);
  void stop(Done done);  // `done` may be empty

  // server_methods.cpp
  void add_methods();
  void add_core_methods();
  void status(const Done& done);
  [[nodiscard]] admin::Json edge_status() const;
  [[nodiscard]] std::int64_t uptime_s() const;
  void ask_engine(const std::string& method, admin::Json params, Done done);

  // server_hand_over.cpp: as the edge that is replaced
  struct Successor;
  void upgrade_edge(const edge::UpgradeRequest& request, Done done);
  void watch_successor();
  void flush_successor();
  void wait_for_successor();
  void read_successor();
  void on_successor(const edge::DescriptorChannel::Message& message);
  void successor_ready(const std::string& manifest);
  void hand_over_engine();
  void successor_serves();
  void successor_failed(const std::string& why);
  void stop_successor(int signal_number);
  [[nodiscard]] edge::HandedConnections connections_to_take_back(Successor& failed);
  void go_over(admin::RpcResult result);
  void relay_on();

  // server_take_over.cpp: as the edge that replaces another
  [[nodiscard]] Result<> adopt(HandOver taken);
  [[nodiscard]] Result<edge::Death> wait_for_word(ConnectionsReceiver& given);
  [[nodiscard]] bool on_probation();
  void fail_probation(const std::string& why);

  const Config& config_;
  const std::string& text_;
  const std::string& program_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_;
  ServiceManager manager_;
  admin::MethodTable methods_;
  std::optional<StateDirectory> directory_;
  std::optional<admin::RpcServer> rpc_;
  std::optional<LiveState> live_;
  ConnectionsHost connections_;
  std::optional<trace::HepExporter> hep_;
  std::optional<edge::Supervisor> supervisor_;
  Administration administration_;
  std::unique_ptr<Successor> successor_;
  std::unique_ptr<edge::DescriptorChannel> predecessor_;
  edge::Death before_ = edge::Death::None;  // how the engine ended that received into the region
  int configuration_ = -1;                  // the text, in memory that engines inherit
  std::chrono::steady_clock::time_point stop_wanted_at_{}, relay_until_{};
  bool ready_ = false, stop_wanted_ = false, stopping_ = false, stopped_ = false, gone_over_ = false;
  int exit_code_ = 0;
};

}  // namespace perdure::app
