#include "admin/http_server.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <thread>
#include <utility>

#include "admin/http_session.hpp"
#include "base/logging.hpp"

namespace perdure::admin {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr int backlog = 128, nice_value = 10;
constexpr double accepted_per_second = 200;
constexpr Duration accept_pause = 20ms;

Tcp::endpoint endpoint_of(const SocketAddress& address) {
  return {asio::ip::make_address(address.ip_text()), address.port};
}

}  // namespace

struct HttpServer::State : HttpShared, std::enable_shared_from_this<HttpServer::State> {
  using HttpShared::HttpShared;

  void accept() {
    acceptor.async_accept([this](ErrorCode error, Tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (!error) take(std::move(socket));
      if (!error && accepting.take(Allowance::Clock::now())) return accept();
      // Out of descriptors, or a flood: what comes meanwhile waits in the kernel.
      pause.expires_after(accept_pause);
      pause.async_wait([this](ErrorCode aborted) {
        if (!aborted) accept();
      });
    });
  }

  void take(Tcp::socket socket) {
    ++counters.connections;
    if (sessions.size() >= options.connections_max) {
      ++counters.limited;
      const auto oldest = std::ranges::find_if(sessions, [](const auto& session) { return !session->is_let_in(); });
      if (oldest == sessions.end()) return;  // the new one is closed
      const auto leaving = *oldest;
      leaving->close();
    }
    const auto session = std::make_shared<HttpSession>(shared_from_this(), std::move(socket), [this](const auto& ended) {
      sessions.remove(ended);
      counters.open = sessions.size();
    });
    sessions.push_back(session);
    counters.open = sessions.size();
    session->start();
  }

  void end() {
    ErrorCode ignored;
    acceptor.close(ignored);
    pause.cancel();
    const auto all = sessions;
    for (const auto& session : all) session->close();
    guard.reset();
  }

  Tcp::acceptor acceptor{context};
  asio::steady_timer pause{context};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  Allowance accepting{accepted_per_second};
  std::list<std::shared_ptr<HttpSession>> sessions;  // the oldest first
  Tcp::endpoint bound;
  std::thread thread;
};

HttpServer::HttpServer(HttpOptions options, Handler handler, std::function<bool(const std::string&)> is_open)
    : state_(std::make_shared<State>(std::move(options), std::move(handler), std::move(is_open))) {}

HttpServer::~HttpServer() {
  if (!state_->thread.joinable()) return;
  asio::post(state_->context, [state = state_.get()] { state->end(); });
  state_->thread.join();
}

Result<> HttpServer::start() {
  auto credentials = read_credentials(state_->options);
  if (!credentials) return std::unexpected(credentials.error());
  state_->credentials = std::move(*credentials);
  auto& acceptor = state_->acceptor;
  ErrorCode error;
  const auto endpoint = endpoint_of(state_->options.listen);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(backlog, error);
  if (!error) state_->bound = acceptor.local_endpoint(error);
  if (error) return fail(fmt::format("{}: {}", state_->options.listen.text(), error.message()));
  state_->thread = std::thread([state = state_] {
    (void)pthread_setname_np(pthread_self(), "http");
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice_value);
    state->accept();
    state->context.run();
  });
  return {};
}

SocketAddress HttpServer::address() const {
  SocketAddress address = state_->options.listen;
  address.port = state_->bound.port();
  return address;
}

Result<> HttpServer::reload() {
  auto credentials = read_credentials(state_->options);
  if (!credentials) return std::unexpected(credentials.error());
  asio::post(state_->context, [state = state_, fresh = std::move(*credentials)] { state->credentials = fresh; });
  return {};
}

const HttpCounters& HttpServer::counters() const {
  return state_->counters;
}

}  // namespace perdure::admin
