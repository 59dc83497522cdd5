#pragma once
// The edge's side of administration beside the control socket: HTTP, metrics, and the log of who changed what.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "admin/http_server.hpp"
#include "admin/json_rpc.hpp"
#include "app/config.hpp"
#include "app/metrics/collect.hpp"
#include "trace/hep_exporter.hpp"

namespace perdure::app {

class Administration {
 public:
  using Done = admin::MethodTable::Done;
  // What it asks the server for; all outlive it.
  struct Host {
    boost::asio::io_context& context;
    const Config& config;
    admin::MethodTable& methods;
    const ConnectionsHost& connections;
    const std::optional<trace::HepExporter>& hep;
    std::function<const edge::Supervisor*()> supervisor;  // null: not yet
    std::function<void(const std::string& method, Done done)> ask_engine;
    std::function<std::int64_t()> uptime_s;
  };
  explicit Administration(Host host);
  Administration(const Administration&) = delete;
  Administration& operator=(const Administration&) = delete;

  // The memory that engines count in: that of the edge before if it fits, else a new one. Takes the descriptor, -1: none.
  [[nodiscard]] Result<> open_region(int handed_over = -1);
  [[nodiscard]] int region() const { return region_->descriptor(); }
  // Without `admin.http` nothing is opened.
  [[nodiscard]] Result<> start_http();
  void stop_http() { http_.reset(); }
  // Reads token and certificates again. An error changes nothing.
  [[nodiscard]] Result<> reload();
  // "127.0.0.1:8090"; empty: none.
  [[nodiscard]] std::string http_address() const;

  // The text of /metrics; `done` is called soon, whether an engine answers or not.
  void metrics(std::function<void(MetricSet)> done);

 private:
  void add_methods();
  void sample();
  void route(admin::HttpRequest request, std::function<void(admin::HttpAnswer)> reply);
  [[nodiscard]] admin::HttpAnswer readiness() const;
  [[nodiscard]] MetricSet collect(const admin::Json& gauges);

  Host host_;
  std::unique_ptr<metrics::Region> region_;
  boost::asio::steady_timer sample_timer_;
  CallRatios ratios_;
  Continued continued_;
  std::optional<admin::HttpServer> http_;
};

// The options of [admin] for the HTTP server.
[[nodiscard]] admin::HttpOptions http_options(const Config::Admin& admin);
// Who asked for what, and whether it was done: a line of the log.
[[nodiscard]] std::string audit_line(const std::string& caller, const std::string& method, const admin::Json& params,
                                     const admin::RpcResult& result);

}  // namespace perdure::app
