#pragma once
#include <cstdint>

#include "proxy/proxy.hpp"

namespace perdure::proxy {

// Counts a response by its class; provisional ones are not counted.
inline void count_response(ProxyCounters& counters, std::uint16_t status) {
  switch (status / 100) {
    case 2:
      ++counters.responses_2xx;
      break;
    case 3:
      ++counters.responses_3xx;
      break;
    case 4:
      ++counters.responses_4xx;
      break;
    case 5:
      ++counters.responses_5xx;
      break;
    case 6:
      ++counters.responses_6xx;
      break;
    default:
      break;
  }
}

}  // namespace perdure::proxy
