#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

// "udp:192.0.2.1:9060"
Result<> set_collector(Config& config, std::string_view text) {
  config.trace.hep.collector.reset();
  if (text.empty()) return {};
  const auto listen = parse_listen(text);
  if (!listen) return std::unexpected(listen.error());
  if ((listen->transport != Transport::Udp && listen->transport != Transport::Tcp) || listen->address.port == 0)
    return fail(fmt::format("\"{}\" is no collector: udp: or tcp:, address and port", text));
  config.trace.hep.transport = listen->transport;
  config.trace.hep.collector = listen->address;
  return {};
}

const Option table[] = {
    {"trace", "bytes", R"("0")",
     "Room for the last messages, in shared memory that outlives engines: `perdure call CALL-ID` draws the ladder of a call from it, the "
     "death of an engine in its midst included, and `--pcap` writes it as a capture file. Credentials and media keys are masked before "
     "they "
     "are written. \"0\": no message is kept, and what was kept goes. A message takes its size and 80 bytes; all of `bytes` is taken from "
     "memory at the start.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.trace.bytes; }, 0, 16ULL << 30}},
    {"trace", "hep", R"("")",
     "A collector (Homer) that gets every message as HEPv3, credentials masked: \"udp:192.0.2.1:9060\" or \"tcp:192.0.2.1:9060\". Needs "
     "`bytes`; what is overwritten before it could be sent is counted and lost.",
     TextOption{set_collector}},
    {"trace", "hep_capture_id", "2001", "Number of this server at the collector.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.trace.hep.capture_id; }, 0, UINT32_MAX}},
    {"trace", "hep_password", R"("")", "What the collector wants to see in each packet; empty: none.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       if (text.size() > 255) return fail("has more than 255 bytes");
       c.trace.hep.password = text;
       return {};
     }}},
    {"trace", "hep_node_name", R"("")", "Name of this server at the collector; empty: none.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       if (text.size() > 255) return fail("has more than 255 bytes");
       c.trace.hep.node_name = text;
       return {};
     }}},
};

}  // namespace

std::span<const Option> trace_options() {
  return table;
}

}  // namespace perdure::app
