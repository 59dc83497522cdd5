// What is written down for operators is what the program knows.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "app/options.hpp"
#include "app/rpc_methods.hpp"

namespace perdure::app {
namespace {

std::string read(const std::string& name) {
  std::ifstream file(PERDURE_SOURCE_DIR "/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Reference, ConfigurationPageIsThatOfTheTable) {
  EXPECT_EQ(read("docs/configuration.md"), configuration_reference()) << "write it anew: perdure options > docs/configuration.md";
}

TEST(Reference, MethodsInOperationsPageAreThoseOfTheTable) {
  const auto page = read("docs/operations.md");
  const std::string begin = "<!-- perdure methods: begin -->\n", end = "<!-- perdure methods: end -->";
  const auto from = page.find(begin), to = page.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos);
  EXPECT_EQ(page.substr(from + begin.size(), to - from - begin.size()), rpc_reference()) << "write it anew: perdure methods";
}

TEST(Reference, MethodsAreSortedAndDescribed) {
  std::string_view before;
  for (const auto& method : rpc_methods()) {
    EXPECT_LT(before, method.name);
    EXPECT_FALSE(method.text.empty());
    EXPECT_EQ(find_rpc_method(method.name), &method);
    before = method.name;
  }
  EXPECT_EQ(find_rpc_method("nothing"), nullptr);
}

}  // namespace
}  // namespace perdure::app
