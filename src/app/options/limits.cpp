#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array pipe_algorithms = {"TAILDROP"sv, "RED"sv};

const Option table[] = {
    {"pike", "sampling_time_unit", R"("2s")", "Interval in which the requests of a source are counted.",
     DurationOption{[](Config& c) -> Duration& { return c.pike.interval; }, 100ms, 1h}},
    {"pike", "reqs_density_per_unit", "30", "Most requests of a source in an interval; with more it is blocked until it sends less.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.requests_max; }, 1, 1'000'000}},
    {"pike", "max_sources", "65536", "Sources that are counted at a time. In a flood of more the least active ones are forgotten first.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.sources_max; }, 1024, 16'777'216}},
    {"pike", "ipv6_bits", "64", "IPv6 addresses that share so many bits are one source.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pike.ipv6_bits; }, 16, 128}},

    {"pipelimit", "interval", R"("10s")", "Interval in which the messages of a pipe are counted (Kamailio's timer_interval).",
     DurationOption{[](Config& c) -> Duration& { return c.pipelimit.interval; }, 100ms, 1h}},

    {"pipe.*", "algorithm", R"("TAILDROP")",
     "\"TAILDROP\": the first `limit` messages of an interval pass; \"RED\": each n-th, n by how much the interval before was over the "
     "limit.",
     ChoiceOption{pipe_algorithms, [](Config& c, std::size_t i) { c.pipes.back().algorithm = static_cast<limit::PipeAlgorithm>(i); }}},
    {"pipe.*", "limit", "100", "Messages in an interval.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.pipes.back().limit; }, 0, UINT32_MAX}},
};

}  // namespace

Result<> begin_pipe(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.pipes.size() >= limit::pipes_max / 2) return fail(fmt::format("more than {} pipes", limit::pipes_max / 2));
  config.pipes.emplace_back().name = name;
  return {};
}

std::span<const Option> limits_options() {
  return table;
}

}  // namespace perdure::app
