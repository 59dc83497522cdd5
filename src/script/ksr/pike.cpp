// KSR.pike: sources that send too much.
#include "base/logging.hpp"
#include "limit/sources.hpp"
#include "proxy/proxy.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

int check(Call& call, const SocketAddress& source) {
  switch (call.vm.sources().check(source, call.context().now)) {
    case limit::Verdict::Allowed:
      return 1;
    case limit::Verdict::NewlyBlocked:
      log::warning("source {} sends too much and is blocked", source.ip_text());
      return -2;
    case limit::Verdict::Blocked:
      return -1;
  }
  return -1;
}

int check_request(Call& call) {
  return check(call, call.context().received->source);
}

int check_address(Call& call) {
  const auto address = SocketAddress::parse(call.text(0), 0);
  if (!address) {
    log::error("script: {} is no IP address", call.text(0));
    return -1;
  }
  return check(call, *address);
}

constexpr std::string_view by_source =
    "Counts each address, of IPv6 each prefix of pike.ipv6_bits, in a table of fixed size, not a tree of prefixes.";

const Function table[] = {
    {"pike", "pike_check_req", "", Returns::Integer, routes::any,
     "Counts the message for its source. 1: it may pass; -2: its source has just been blocked; -1: its source is blocked.", by_source,
     check_request},
    {"pike", "pike_check_ip", "string address", Returns::Integer, routes::any, "The same for an address of yours.", by_source,
     check_address},
};

}  // namespace

std::span<const Function> pike_functions() {
  return table;
}

}  // namespace perdure::script
