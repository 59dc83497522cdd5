// docs/script.md ends with what the tables of functions say.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "script/ksr/function.hpp"
#include "script/pseudo_variable.hpp"
#include "script/script_runner.hpp"
#include "script/transformation.hpp"

namespace perdure::script {
namespace {

TEST(Reference, IsInTheDocumentation) {
  const std::string path = std::string(PERDURE_SOURCE_DIR) + "/docs/script.md", mark = "<!-- reference -->\n";
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  const std::string text = content.str();
  const auto at = text.find(mark);
  ASSERT_NE(at, std::string::npos);
  const std::string expected = text.substr(0, at + mark.size()) + "\n" + script_reference();
  if (std::getenv("PERDURE_WRITE_REFERENCE")) std::ofstream(path) << expected;
  EXPECT_TRUE(text == expected) << "run script_tests with PERDURE_WRITE_REFERENCE=1 and look at the difference";
}

TEST(Reference, RowsAreComplete) {
  std::set<std::string> names;
  for (const Module& module : modules())
    for (const Function& function : module.functions()) {
      const std::string name = std::string(function.module) + "." + std::string(function.name);
      EXPECT_TRUE(names.insert(name).second) << name << " is described twice";
      EXPECT_EQ(function.module, module.name) << name;
      EXPECT_TRUE(function.call) << name;
      EXPECT_TRUE(function.text.ends_with('.')) << name;
      EXPECT_TRUE(function.difference.empty() || function.difference.ends_with('.')) << name;
      EXPECT_EQ(function.text.find('|'), std::string_view::npos) << name << ": a bar breaks the table";
      EXPECT_NE(function.routes & routes::any, 0) << name;
    }
  EXPECT_GT(names.size(), 150U);
  std::set<std::string_view> variables;
  for (const auto& table : variable_tables())
    for (const VariableClass& one : table) {
      EXPECT_TRUE(variables.insert(one.name).second) << one.name;
      EXPECT_TRUE(one.get) << one.name;
      EXPECT_FALSE(one.text.empty()) << one.name;
      EXPECT_EQ(one.argument == VariableArgument::Keyword, !one.keywords.empty()) << one.name;
    }
  std::set<std::string_view> transformations;
  for (const auto& table : transformation_tables())
    for (const TransformationClass& one : table) {
      EXPECT_TRUE(transformations.insert(one.name).second) << one.name;
      EXPECT_TRUE(one.apply) << one.name;
      EXPECT_FALSE(one.text.empty()) << one.name;
      EXPECT_EQ(one.text.find('|'), std::string_view::npos) << one.name << ": a bar breaks the table";
    }
  EXPECT_GT(transformations.size(), 90U);
}

}  // namespace
}  // namespace perdure::script
