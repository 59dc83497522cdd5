// One datagram: parsed, checked, answered, cancelled, forwarded.
#include "fuzz/input.hpp"
#include "fuzz/sip/message_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bool accepted = false;
  perdure::fuzz::expect_sound(perdure::sip::checks::everything({reinterpret_cast<const char*>(data), size}, accepted));
  return 0;
}
