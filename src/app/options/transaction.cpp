#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "app/options/sections.hpp"
#include "transaction/record.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

constexpr std::array strays = {"forward"sv, "drop"sv};

constexpr std::array unknown_cancels = {"forward"sv, "reject"sv};

const Option table[] = {
    {"transaction", "t1", R"("500ms")", "Estimate of the round-trip time: the first retransmission comes after T1 (RFC 3261 17.1.1.1).",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t1; }, 10ms, 10s}},
    {"transaction", "t2", R"("4s")", "Longest interval between retransmissions of a response to INVITE or of another request.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t2; }, 10ms, 60s}},
    {"transaction", "t4", R"("5s")", "How long a message stays in the network.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.t4; }, 10ms, 60s}},
    {"transaction", "timer_c", R"("180s")",
     "How long an INVITE may ring without a final response; begins anew with each provisional one but 100. RFC 3261 16.6 wants more than "
     "three minutes.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.timer_c; }, 1s, 24h}},
    {"transaction", "fr_timer", R"("32s")",
     "How long a branch may stay without any response before the next is tried (Timer B; Kamailio's fr_timer). RFC 3261 wants 64*T1.",
     DurationOption{[](Config& c) -> Duration& { return c.transaction.fr_timer; }, 100ms, 10min}},
    {"transaction", "stray_responses", R"("forward")", "A response whose transaction is unknown: \"forward\" it by Via, or \"drop\" it.",
     ChoiceOption{strays, [](Config& c, std::size_t i) { c.transaction.forward_stray_responses = i == 0; }}},
    {"transaction", "cancel_unknown", R"("forward")",
     "A CANCEL whose transaction is unknown: \"forward\" it statelessly (RFC 3261 16.10), or \"reject\" it with 481.",
     ChoiceOption{unknown_cancels, [](Config& c, std::size_t i) { c.transaction.cancel_unknown_forwards = i == 0; }}},
    {"transaction", "branches_max", "12", "Most branches of one request.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.branches_max; }, 1, transaction::branches_max}},
    {"transaction", "max_breadth", "60", "Max-Breadth of requests that carry none (RFC 5393).",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.max_breadth; }, 1, 1000}},
    {"transaction", "udp_request_max", "1300",
     "Bytes of the largest request that goes by UDP unless its target asks for UDP: a larger one goes by TCP if there is a TCP socket of "
     "that "
     "address family, and by UDP if TCP is refused (RFC 3261 18.1.1). Responses, and requests forwarded without a transaction, are not "
     "switched. 0: no limit.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.udp_request_max; }, 0, 65535}},
    {"transaction", "waiting_max", "10000",
     "Most callbacks of a worker that wait at a time: for a database, another service, or the time of `KSR.async`. In a further one the "
     "function that would wait is a script error, and its request gets 500; `waits_refused` counts them. As many requests can wait for "
     "name servers; a further one gets 478.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.transaction.waiting_max; }, 1, 1'000'000}},
};

}  // namespace

std::span<const Option> transaction_options() {
  return table;
}

}  // namespace perdure::app
