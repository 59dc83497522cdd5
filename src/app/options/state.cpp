#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array durabilities = {"process"sv, "host"sv};

constexpr std::array persists = {"full"sv, "routes"sv, "off"sv};

constexpr std::array clocks = {"frozen"sv, "elapsed"sv};

const Option table[] = {
    {"state", "directory", R"("/var/lib/perdure")",
     "Folder for the control socket, process ids, snapshot and quarantine; made with access for the owner only. The live files are on "
     "tmpfs (`/dev/shm`) unless `durability` says otherwise. One server per directory.",
     PathOption{[](Config& c) -> std::string& { return c.state.directory; }}},
    {"state", "durability", R"("process")",
     "What open calls survive: \"process\" the death of the server's processes; \"host\" also that of the machine, with live files in "
     "`directory` that "
     "are synced in the background.",
     ChoiceOption{durabilities, [](Config& c, std::size_t i) { c.state.durability = static_cast<store::Durability>(i); }}},
    {"state", "max_bytes", R"("1GiB")",
     "Most room for open calls. When it is used up, new INVITEs get 503 with Retry-After and existing calls go on.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.state.max_bytes; }, 16ULL << 20, 64ULL << 30}},
    {"state", "persist", R"("full")",
     "What of a transaction survives the engine: \"full\" all of it; \"routes\" where each INVITE branch went, enough for the right CANCEL "
     "and ACK; "
     "\"off\" nothing.",
     ChoiceOption{persists, [](Config& c, std::size_t i) { c.state.persist = static_cast<proxy::Persist>(i); }}},
    {"state", "clock", R"("frozen")",
     "What the time without a server counts for timers: \"frozen\" nothing, deadlines move; \"elapsed\" as it is, what is overdue fires at "
     "the start.",
     ChoiceOption{clocks, [](Config& c, std::size_t i) { c.state.clock = static_cast<store::ClockPolicy>(i); }}},
    {"state", "partitions", "16",
     "Parts of the store that workers share out. Fixed when the live file is made; at least the number of workers.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.state.partitions; }, 1, 256}},
    {"state", "tables_max_bytes", R"("64MiB")",
     "Most room for hash tables with `persist = true`, all together, in a store of their own. Fixed when the live file is made.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.state.tables_max_bytes; }, 8ULL << 20, 64ULL << 30}},
};

}  // namespace

std::span<const Option> state_options() {
  return table;
}

}  // namespace perdure::app
