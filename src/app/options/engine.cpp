#include <cstdint>
#include <span>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

const Option table[] = {
    {"engine", "watchdog", R"("2s")", "A worker that makes no progress for so long is taken for dead, and the next engine takes over.",
     DurationOption{[](Config& c) -> Duration& { return c.engine.watchdog; }, 100ms, 60s}},
    {"engine", "probation", R"("10s")",
     "An upgraded engine that ends sooner than that after it took over is replaced by one of the binary before; `perdure upgrade` waits so "
     "long.",
     DurationOption{[](Config& c) -> Duration& { return c.engine.probation; }, 100ms, 1h}},
    {"engine", "gather", R"("500us")",
     "To be woken costs several times what a message costs, so messages that follow each other closely are worked on together: after some, "
     "a worker leaves what comes next alone for so long, and so does the edge with its connections. A longer time saves processor time at "
     "rates far from full load and delays messages, by half of it on average. 0: each message at once.",
     DurationOption{[](Config& c) -> Duration& { return c.engine.gather; }, 0s, 10ms}},
    {"engine", "receive_buffer", R"("16MiB")",
     "Receive buffer of each UDP socket: it holds what arrives while the next engine takes over. The kernel's net.core.rmem_max limits it.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.engine.receive_buffer_bytes; }, 64ULL << 10, 1ULL << 30}},
};

}  // namespace

std::span<const Option> engine_options() {
  return table;
}

}  // namespace perdure::app
