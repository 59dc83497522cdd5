#pragma once
// Request methods that the proxy treats by name; every other token is Other and travels as it is. RFC 3261 7.1: case-sensitive.
#include <cstdint>
#include <string_view>

namespace perdure::sip {

enum class Method : std::uint8_t {
  Other,
  Invite,
  Ack,
  Bye,
  Cancel,
  Options,
  Register,
  Prack,
  Update,
  Info,
  Subscribe,
  Notify,
  Refer,
  Message,
  Publish
};

// "INVITE"; empty for Other.
[[nodiscard]] std::string_view name(Method method);
[[nodiscard]] Method method_from(std::string_view name);

}  // namespace perdure::sip
