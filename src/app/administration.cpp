#include "app/administration.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "app/drain_state.hpp"
#include "app/engine_counters.hpp"
#include "app/rpc_methods.hpp"
#include "app/statistics_methods.hpp"
#include "base/logging.hpp"

namespace perdure::app {
namespace {

using admin::HttpAnswer;
using admin::HttpRequest;
using admin::Json;
using admin::RpcResult;

constexpr auto sample_interval = std::chrono::seconds(5), gauges_deadline = std::chrono::seconds(1);
constexpr std::size_t audited_bytes_max = 200;

bool is_health_path(const std::string& path) {
  return path == "/healthz" || path == "/readyz";
}

HttpAnswer plain(unsigned status, std::string text) {
  return {.status = status, .body = std::move(text) + "\n"};
}

}  // namespace

Administration::Administration(Host host) : host_(std::move(host)), sample_timer_(host_.context) {
  add_methods();
}

void Administration::add_methods() {
  host_.methods.set_audit(
      [](const std::string& method) {
        const RpcMethod* const known = find_rpc_method(method);
        return known && known->changes;
      },
      [](const std::string& caller, const std::string& method, const Json& params, const RpcResult& result) {
        log::notice("{}", audit_line(caller, method, params, result));
      });
  host_.methods.add_late("stats.metrics", [this](const Json&, Done done) {
    metrics([done = std::move(done)](const MetricSet& set) { done(Json(set.text())); });
  });
  add_statistics_methods(
      host_.methods, [this] { return region_.get(); },
      [this] { return host_.connections.connections() ? &host_.connections.connections()->ring_outbound() : nullptr; });
}

Result<> Administration::open_region(int handed_over) {
  const std::uint32_t workers = worker_count(host_.config);
  if (handed_over >= 0) {
    auto taken = metrics::Region::map(handed_over, workers, counters_layout());
    if (taken) region_ = std::move(*taken);
  }
  if (!region_) {
    auto made = metrics::Region::create(workers, counters_layout());
    if (!made) return std::unexpected(made.error());
    region_ = std::move(*made);
  }
  sample();
  return {};
}

// So that the ratios of the last minutes do not depend on who asks, and how often.
void Administration::sample() {
  ratios_.sample(sum_calls(*region_), CallRatios::Clock::now());
  sample_timer_.expires_after(sample_interval);
  sample_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) sample();
  });
}

Result<> Administration::start_http() {
  if (host_.config.admin.http.family == Family::None || http_) return {};
  http_.emplace(
      http_options(host_.config.admin),
      [this](HttpRequest request, std::function<void(HttpAnswer)> reply) {
        boost::asio::post(host_.context, [this, request = std::move(request), reply = std::move(reply)]() mutable {
          route(std::move(request), std::move(reply));
        });
      },
      is_health_path);
  if (auto started = http_->start(); !started) {
    http_.reset();
    return std::unexpected(Error{"admin.http " + started.error().message});
  }
  return {};
}

Result<> Administration::reload() {
  return http_ ? http_->reload() : Result<>{};
}

std::string Administration::http_address() const {
  return http_ ? http_->address().text() : std::string();
}

void Administration::route(HttpRequest request, std::function<void(HttpAnswer)> reply) {
  const auto& path = request.path;
  if (path == "/rpc" || path == "/RPC") {
    if (request.method != "POST") return reply(plain(405, "POST a request"));
    if (!request.content_type.starts_with("application/json")) return reply(plain(415, "the content type is application/json"));
    return host_.methods.dispatch(request.body,
                                  [reply = std::move(reply)](std::string answer) {
                                    if (answer.empty()) return reply({.status = 204, .body = {}});
                                    reply({.content_type = "application/json", .body = std::move(answer) + "\n"});
                                  },
                                  {.name = request.caller, .over_http = true});
  }
  if (request.method != "GET") return reply(plain(path == "/metrics" || is_health_path(path) ? 405 : 404, "GET it"));
  if (path == "/healthz") return reply(plain(200, "ok"));
  if (path == "/readyz") return reply(readiness());
  if (path != "/metrics") return reply(plain(404, "there is nothing here"));
  metrics([reply = std::move(reply)](const MetricSet& set) {
    reply({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = set.text()});
  });
}

// Whether a balancer should send calls here.
HttpAnswer Administration::readiness() const {
  const auto* const supervisor = host_.supervisor();
  if (!supervisor || !supervisor->status().serving) return plain(503, "no engine serves");
  const auto drain = load_drain(host_.config.state.directory);
  return drain && drain->drain.on ? plain(503, "draining") : plain(200, "ready");
}

void Administration::metrics(std::function<void(MetricSet)> done) {
  struct Question {
    std::function<void(MetricSet)> done;
    boost::asio::steady_timer timer;
    void answer(Administration& self, const Json& gauges) {
      timer.cancel();
      if (const auto give = std::exchange(done, nullptr)) give(self.collect(gauges));
    }
  };
  const auto question = std::make_shared<Question>(std::move(done), boost::asio::steady_timer(host_.context, gauges_deadline));
  const auto* const supervisor = host_.supervisor();
  if (!supervisor || !supervisor->status().serving) return question->answer(*this, Json::object());
  question->timer.async_wait([this, question](boost::system::error_code error) {
    if (!error) question->answer(*this, Json::object());
  });
  host_.ask_engine("engine.gauges",
                   [this, question](const RpcResult& gauges) { question->answer(*this, gauges ? *gauges : Json::object()); });
}

MetricSet Administration::collect(const Json& gauges) {
  MetricSet set;
  const auto up_s = std::chrono::seconds(host_.uptime_s());
  set.add("perdure_start_time_seconds",
          static_cast<double>(
              std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch() - up_s).count()));
  if (const auto* const supervisor = host_.supervisor()) collect_supervisor(set, *supervisor);
  collect_workers(set, *region_);
  const auto calls = sum_calls(*region_);
  ratios_.sample(calls, CallRatios::Clock::now());
  collect_calls(set, calls, ratios_);
  collect_connections(set, host_.connections);
  if (http_) collect_http(set, http_->counters());
  if (host_.hep) collect_hep(set, host_.hep->counters());
  collect_engine(set, gauges, continued_);
  return set;
}

admin::HttpOptions http_options(const Config::Admin& admin) {
  admin::HttpOptions options;
  options.listen = admin.http;
  options.token_file = admin.token_file;
  options.certificate = admin.certificate;
  options.private_key = admin.private_key;
  options.client_ca = admin.client_ca;
  options.connections_max = admin.connections;
  options.requests_per_second = admin.requests_per_second;
  return options;
}

std::string audit_line(const std::string& caller, const std::string& method, const Json& params, const RpcResult& result) {
  std::string text = params.empty() ? std::string() : " " + admin::to_text(params);
  if (text.size() > audited_bytes_max) text = text.substr(0, audited_bytes_max) + "…";
  return fmt::format("administration: {}{} by {}: {}", method, text, caller.empty() ? "nobody" : caller,
                     result ? "done" : result.error().message);
}

}  // namespace perdure::app
