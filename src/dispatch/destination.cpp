#include "dispatch/destination.hpp"

namespace perdure::dispatch {

std::string_view state_text(std::uint8_t flags) {
  const bool probed = (flags & state::probing) != 0;
  if (flags & state::inactive) return probed ? "IP" : "IX";
  if (flags & state::disabled) return probed ? "DP" : "DX";
  if (flags & state::trying) return probed ? "TP" : "TX";
  return probed ? "AP" : "AX";
}

int state_from_letters(std::string_view letters) {
  int flags = 0;
  for (const char letter : letters) switch (letter) {
      case 'a':
      case 'A':
        flags = 0;
        break;
      case 'i':
      case 'I':
        flags |= state::inactive;
        break;
      case 't':
      case 'T':
        flags |= state::trying;
        break;
      case 'd':
      case 'D':
        flags |= state::disabled;
        break;
      case 'p':
      case 'P':
        flags |= state::probing;
        break;
      default:
        return -1;
    }
  return flags;
}

}  // namespace perdure::dispatch
