#pragma once
// What the edge answers from the memory that engines count in: numbers that go on over their deaths.
#include <functional>

#include "admin/json_rpc.hpp"
#include "metrics/region.hpp"

namespace perdure::app {

// `region` gives null before the server has started; `ring_outbound`, see edge::Hub, null without connections.
void add_statistics_methods(admin::MethodTable& methods, std::function<const metrics::Region*()> region,
                            std::function<const metrics::Histogram*()> ring_outbound);

}  // namespace perdure::app
