#pragma once
// What the edge answers from the memory that engines count in: numbers that go on over their deaths.
#include <functional>

#include "admin/json_rpc.hpp"
#include "metrics/region.hpp"

namespace perdure::app {

// `region` gives null before the server has started.
void add_statistics_methods(admin::MethodTable& methods, std::function<const metrics::Region*()> region);

}  // namespace perdure::app
