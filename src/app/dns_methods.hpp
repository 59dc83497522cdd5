#pragma once
// RPC methods about names: what the DNS says, what of it is known, counters.
#include "admin/json_rpc.hpp"
#include "app/capabilities.hpp"

namespace perdure::app {

// `capabilities` outlive the table.
void add_dns_methods(admin::MethodTable& methods, Capabilities& capabilities);

}  // namespace perdure::app
