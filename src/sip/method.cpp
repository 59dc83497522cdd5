#include "sip/method.hpp"

#include <array>
#include <cstddef>

namespace perdure::sip {
namespace {

constexpr std::array<std::string_view, 15> names = {"",       "INVITE", "ACK",       "BYE",    "CANCEL", "OPTIONS", "REGISTER", "PRACK",
                                                    "UPDATE", "INFO",   "SUBSCRIBE", "NOTIFY", "REFER",  "MESSAGE", "PUBLISH"};

}  // namespace

std::string_view name(Method method) {
  return names[static_cast<std::size_t>(method)];
}

Method method_from(std::string_view name) {
  for (std::size_t i = 1; i < names.size(); ++i)
    if (names[i].size() == name.size() && names[i] == name) return static_cast<Method>(i);
  return Method::Other;
}

}  // namespace perdure::sip
