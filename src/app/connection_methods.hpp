#pragma once
// What the edge answers about connections.
#include <boost/asio/io_context.hpp>

#include "admin/json_rpc.hpp"
#include "app/connections_host.hpp"

namespace perdure::app {

// Answers are given in the thread of `context`.
void add_connection_methods(admin::MethodTable& methods, ConnectionsHost& host, boost::asio::io_context& context);

// For `status`: connections by transport and everything that is counted; null without any listen address that has connections.
[[nodiscard]] admin::Json connections_status(const ConnectionsHost& host);

}  // namespace perdure::app
