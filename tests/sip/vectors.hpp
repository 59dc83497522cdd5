#pragma once
// The files of tests/fixtures, byte for byte.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace perdure::sip {

[[nodiscard]] inline std::string read_fixture(std::string_view name) {
  const auto path = std::filesystem::path(PERDURE_SOURCE_DIR) / "tests/fixtures" / name;
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace perdure::sip
