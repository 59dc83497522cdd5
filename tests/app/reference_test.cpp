// What is written down for operators is what the program knows.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "app/metrics/catalogue.hpp"
#include "app/options.hpp"
#include "app/rpc_schema.hpp"

namespace perdure::app {
namespace {

std::string read(const std::string& name) {
  std::ifstream file(PERDURE_SOURCE_DIR "/" + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  if (!pipe) return text;
  char part[4096];
  for (std::size_t size = 0; (size = fread(part, 1, sizeof part, pipe)) > 0;) text.append(part, size);
  (void)pclose(pipe);
  return text;
}

TEST(Reference, ConfigurationPageIsThatOfTheTable) {
  EXPECT_EQ(read("docs/configuration.md"), configuration_reference()) << "write it anew: perdure options > docs/configuration.md";
}

TEST(Reference, MethodsPageIsThatOfTheTable) {
  EXPECT_EQ(read("docs/rpc.md"), rpc_reference()) << "write it anew: perdure methods > docs/rpc.md";
}

TEST(Reference, MetricsPageIsThatOfTheCatalogue) {
  EXPECT_EQ(read("docs/metrics.md"), metrics_reference()) << "write it anew: perdure metrics > docs/metrics.md";
}

TEST(Reference, CommandsPageIsThatOfTheCommandLine) {
  const std::string page = output_of(std::string(PERDURE_BINARY) + " commands");
  EXPECT_EQ(read("docs/commands.md"), page) << "write it anew: perdure commands > docs/commands.md";
  EXPECT_EQ(page.find("(no text)"), std::string::npos) << "a command or option without a text";
  EXPECT_NE(page.find("## perdure status"), std::string::npos);
}

TEST(Reference, ParametersAreWrittenAsTypesAndTexts) {
  const RpcMethod method{"m", "set:number uri [limit:number] [name]…", "text", RpcSide::Edge};
  EXPECT_EQ(parameters_text(method), "set uri [limit] [name]…");
  const auto schema = rpc_schema(method);
  EXPECT_EQ(schema["params"][0], (admin::Json{{"name", "set"}, {"required", true}, {"schema", {{"type", "number"}}}}));
  EXPECT_EQ(schema["params"][3]["x-repeated"], true);
  EXPECT_EQ(rpc_document()["methods"].size(), rpc_methods().size());
}

TEST(Reference, MethodsAreSortedAndDescribed) {
  std::string_view before;
  for (const auto& method : rpc_methods()) {
    EXPECT_LT(before, method.name);
    EXPECT_GT(method.text.size(), 10U) << method.name;
    for (const auto& parameter : rpc_parameters(method)) {
      EXPECT_EQ(parameter.name.find_first_of("[]:"), std::string::npos) << method.name;
      const bool known = parameter.type.empty() || parameter.type == "string" || parameter.type == "number" || parameter.type == "boolean";
      EXPECT_TRUE(known) << method.name << " " << parameter.name;
    }
    EXPECT_EQ(find_rpc_method(method.name), &method);
    before = method.name;
  }
  EXPECT_EQ(find_rpc_method("nothing"), nullptr);
}

}  // namespace
}  // namespace perdure::app
