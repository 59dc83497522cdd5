#pragma once
// Holds the tables of docs/store-format.md against the code.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::store {

struct DocumentedField {
  std::size_t offset, size;
  std::string_view name;
};
#define PERDURE_FIELD(type, field) \
  { offsetof(type, field), sizeof(type::field), #field }

// The table that begins after `marker` must have exactly these rows, in this order.
inline void expect_table(std::string_view marker, const std::vector<DocumentedField>& fields) {
  std::ostringstream text;
  text << std::ifstream(PERDURE_SOURCE_DIR "/docs/store-format.md").rdbuf();
  const std::string document = text.str();
  const std::size_t begin = document.find(marker);
  ASSERT_NE(begin, std::string::npos) << marker;
  std::istringstream lines(document.substr(document.find("| --- |", begin)));
  std::string line;
  std::getline(lines, line);
  for (const auto& [offset, size, name] : fields) {
    ASSERT_TRUE(std::getline(lines, line));
    const std::string row = "| " + std::to_string(offset) + " | " + std::to_string(size) + " | `" + std::string(name) + "` | ";
    EXPECT_TRUE(line.starts_with(row)) << marker << ": should be " << row << "\nbut is " << line;
  }
  std::getline(lines, line);
  EXPECT_FALSE(line.starts_with("|")) << marker << ": documented but not in the code: " << line;
}

}  // namespace perdure::store
