#pragma once
// Bleeding off: what a proxy refuses that takes no new dialogs and goes on with those that are there.
#include <cstdint>

namespace perdure::proxy {

struct Drain {
  bool on = false;
  bool by_script = false;            // requests reach the script as ever, which asks and decides
  bool registrations = false;        // REGISTER is refused as well
  std::uint16_t code = 503;          // 300 to 699
  std::uint32_t retry_after_s = 30;  // 0: responses carry no Retry-After
  bool operator==(const Drain&) const = default;
};

}  // namespace perdure::proxy
