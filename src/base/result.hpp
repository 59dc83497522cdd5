#pragma once
// Failures of the world: std::expected with a message for the operator. Bugs are PERDURE_ASSERT (base/assert.hpp).
#include <expected>
#include <string>
#include <utility>

namespace perdure {

// What went wrong, in an operator's words, with file and line where there is one.
struct Error {
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

}  // namespace perdure
