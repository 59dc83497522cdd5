#pragma once
// The [dispatcher] section of the configuration, as this folder needs it.
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace perdure::dispatch {

// Which destinations are probed; numbers as Kamailio's ds_probing_mode.
enum class ProbingMode : std::uint8_t {
  Flagged = 0,      // those in state probing, until they answer
  All = 1,          // every one that is not disabled
  Inactive = 2,     // inactive ones in state probing
  OnlyFlagged = 3,  // those in state probing; the state stays after an answer
};

struct DispatcherOptions {
  Duration probing_interval = 0s;  // 0: no probes
  ProbingMode probing_mode = ProbingMode::Flagged;
  std::uint32_t probing_threshold = 1;   // failures (state trying) until inactive
  std::uint32_t inactive_threshold = 1;  // answers until an inactive one is active again
  std::string ping_method = "OPTIONS";
  std::string ping_from;  // From URI of probes; empty: sip:dispatcher@<our address>
  // Response classes or codes that count as alive beside 2xx: {400, 499} for "4xx".
  struct CodeRange {
    std::uint16_t first = 0, last = 0;
  };
  std::vector<CodeRange> ping_reply_codes;
  Duration load_expire = 7200s;  // a call counts at most so long for algorithm 10
  Duration t1 = 500ms, t2 = 4s;  // retransmission of probes, RFC 3261 17.1.2
};

}  // namespace perdure::dispatch
