#include "app/connection_methods.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <utility>

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;
using Done = admin::MethodTable::Done;

constexpr std::size_t list_max = 10'000;
constexpr Transport transports[] = {Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss};

Json to_json(const edge::ConnectionView& view) {
  return {{"id", fmt::format("{:016x}", view.id)},
          {"type", name(view.transport)},
          {"state", view.state},
          {"direction", view.inbound ? "inbound" : "outbound"},
          {"source", view.peer},
          {"security", view.security},
          {"age_s", view.age_s},
          {"idle_s", view.idle_s},
          {"messages_received", view.messages_received},
          {"messages_sent", view.messages_sent},
          {"write_queued_bytes", view.queued_bytes}};
}

std::uint64_t open_count(const edge::ConnectionCounters& counters, Transport transport) {
  return counters.open[static_cast<std::size_t>(transport)].get();
}

// core.tcp_list, and tls.list, which leaves the others out.
void add_lists(admin::MethodTable& methods, ConnectionsHost& host, boost::asio::io_context& context) {
  const auto add = [&](const char* method, bool secure_only) {
    methods.add_late(method, [&host, &context, secure_only](const Json& params, Done done) {
      if (!host.connections()) return done(rpc_fail("no listen address has connections"));
      const Json limit = admin::parameter(params, 0, "limit");
      if (!limit.is_null() && !limit.is_number_unsigned()) return done(rpc_fail("the only parameter is a number, `limit`"));
      const std::size_t most = std::min(limit.is_null() ? std::size_t{50} : limit.get<std::size_t>(), list_max);
      host.connections()->post([&context, most, secure_only, done = std::move(done)](edge::Hub& hub) {
        Json list = Json::array();
        for (const auto& view : hub.list(secure_only ? list_max : most))
          if (list.size() < most && (!secure_only || view.transport == Transport::Tls || view.transport == Transport::Wss))
            list.push_back(to_json(view));
        boost::asio::post(context, [list = std::move(list), done] { done(list); });
      });
    });
  };
  add("core.tcp_list", false);
  add("tls.list", true);
}

}  // namespace

Json connections_status(const ConnectionsHost& host) {
  if (!host.connections()) return {};
  const auto& counters = host.connections()->counters();
  Json open = Json::object(), counted = Json::object();
  for (const auto transport : transports) open[std::string(name(transport))] = open_count(counters, transport);
  edge::for_each_counter(counters, [&](const char* counter, std::uint64_t value) { counted[counter] = value; });
  return {{"open", std::move(open)}, {"counters", std::move(counted)}};
}

void add_connection_methods(admin::MethodTable& methods, ConnectionsHost& host, boost::asio::io_context& context) {
  methods.add("core.tcp_info", [&host](const Json&) -> RpcResult {
    if (!host.connections()) return rpc_fail("no listen address has connections");
    const auto& counters = host.connections()->counters();
    const auto open = [&](Transport transport) { return open_count(counters, transport); };
    Json info = {{"max_connections", host.options().connections_max},
                 {"opened_connections", open(Transport::Tcp) + open(Transport::Tls) + open(Transport::Ws) + open(Transport::Wss)},
                 {"opened_tls_connections", open(Transport::Tls) + open(Transport::Wss)},
                 {"opened_ws_connections", open(Transport::Ws) + open(Transport::Wss)},
                 {"write_queued_bytes", counters.buffered_bytes.get()}};
    edge::for_each_counter(counters, [&](const char* counter, std::uint64_t value) { info[counter] = value; });
    return info;
  });
  add_lists(methods, host, context);
  methods.add("tls.info", [&host](const Json&) -> RpcResult {
    if (!host.connections()) return rpc_fail("no listen address has connections");
    const auto& counters = host.connections()->counters();
    return Json{{"max_connections", host.options().connections_max},
                {"opened_connections", open_count(counters, Transport::Tls) + open_count(counters, Transport::Wss)},
                {"clear_text_write_queued_bytes", counters.buffered_bytes.get()}};
  });
  methods.add_late("core.tcp_close", [&host, &context](const Json& params, Done done) {
    if (!host.connections()) return done(rpc_fail("no listen address has connections"));
    const Json text = admin::parameter(params, 0, "id");
    // The command line makes a number of what looks like one.
    const std::string digits = text.is_string() ? text.get<std::string>() : text.is_number_unsigned() ? text.dump() : "";
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
      return done(rpc_fail("the only parameter is `id`, as core.tcp_list shows it"));
    host.connections()->post([&context, id, done = std::move(done)](edge::Hub& hub) {
      const bool closed = hub.close_connection(id);
      boost::asio::post(context, [closed, done] { done(closed ? RpcResult(Json("closed")) : rpc_fail("there is no such connection")); });
    });
  });
  methods.add("tls.reload", [&host](const Json&) -> RpcResult {
    const auto reloaded = host.reload_tls();
    return reloaded ? RpcResult(Json("reloaded")) : rpc_fail(reloaded.error().message);
  });
}

}  // namespace perdure::app
