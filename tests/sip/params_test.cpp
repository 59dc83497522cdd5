// RFC 3261 25.1: generic-param and uri-parameter.
#include "sip/params.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace perdure::sip {
namespace {

using testing::ElementsAre;

// "name=value" per parameter, "!" at the end if the list is malformed.
std::vector<std::string> read(std::string_view params) {
  std::vector<std::string> found;
  ParamReader reader(params);
  while (const auto param = reader.next())
    found.push_back(std::string(param->name) + (param->has_value ? "=" + std::string(param->value) : std::string{}));
  if (reader.malformed()) found.push_back("!");
  EXPECT_EQ(params_valid(params), !reader.malformed());
  return found;
}

TEST(Params, AreReadInOrder) {
  EXPECT_THAT(read(""), ElementsAre());
  EXPECT_THAT(read(";lr"), ElementsAre("lr"));
  EXPECT_THAT(read(";a=1;b;c="), ElementsAre("a=1", "b", "c="));
  EXPECT_THAT(read(" ; a\r\n =\t1 ;\r\n b "), ElementsAre("a=1", "b"));
  EXPECT_THAT(read(";q=\"a;b=\\\"c\\\"\";d=[::1]"), ElementsAre("q=\"a;b=\\\"c\\\"\"", "d=[::1]"));
}

TEST(Params, StopAtWhatIsMalformed) {
  EXPECT_THAT(read(";"), ElementsAre("!"));
  EXPECT_THAT(read("lr"), ElementsAre("!"));
  EXPECT_THAT(read(";a=1;;b"), ElementsAre("a=1", "!"));
  EXPECT_THAT(read(";a b"), ElementsAre("!"));
  EXPECT_THAT(read(";a=\"x"), ElementsAre("!"));
  EXPECT_THAT(read(";a=1,"), ElementsAre("!"));
  EXPECT_THAT(read(";=1"), ElementsAre("!"));
  EXPECT_THAT(read(";a=\"x\"y"), ElementsAre("!"));
}

TEST(Params, TextIsWhatIsCopied) {
  ParamReader reader("; name = value ;flag ");
  EXPECT_EQ(reader.next()->text, "name = value");
  EXPECT_EQ(reader.next()->text, "flag");
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_FALSE(reader.malformed());
}

TEST(Params, AreFoundInAnyCaseAndTheFirstCounts) {
  EXPECT_EQ(find_param(";Tag=a;tag=b", "TAG"), "a");
  EXPECT_EQ(find_param(";lr", "lr"), "");
  EXPECT_EQ(find_param(";lrx=1", "lr"), std::nullopt);
  EXPECT_EQ(find_param("", "lr"), std::nullopt);
}

}  // namespace
}  // namespace perdure::sip
