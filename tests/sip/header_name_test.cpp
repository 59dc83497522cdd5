// RFC 3261 7.3.1 and 7.3.3: names are case-insensitive and have compact forms. RFC 3261 7.1: methods are case-sensitive.
#include "sip/header_name.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sip/method.hpp"

namespace perdure::sip {
namespace {

TEST(HeaderNames, EveryLongFormIsFoundInAnyCase) {
  for (std::size_t i = 1; i < header_names; ++i) {
    const auto header = static_cast<HeaderName>(i);
    std::string text(name(header));
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(header_name_from(text), header) << text;
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(header_name_from(text), header) << text;
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    EXPECT_EQ(header_name_from(text), header) << text;
  }
}

TEST(HeaderNames, CompactFormsOfTheIanaRegistry) {
  const std::pair<char, std::string_view> forms[] = {
      {'b', "Referred-By"},  {'c', "Content-Type"}, {'e', "Content-Encoding"}, {'f', "From"},
      {'i', "Call-ID"},      {'k', "Supported"},    {'l', "Content-Length"},   {'m', "Contact"},
      {'o', "Event"},        {'r', "Refer-To"},     {'s', "Subject"},          {'t', "To"},
      {'u', "Allow-Events"}, {'v', "Via"},          {'x', "Session-Expires"},  {'y', "Identity"}};
  for (const auto& [letter, long_form] : forms) {
    EXPECT_EQ(name(header_name_from(std::string(1, letter))), long_form);
    EXPECT_EQ(name(header_name_from(std::string(1, static_cast<char>(letter - 32)))), long_form);
  }
  for (const char letter : std::string_view("agnpqz19-")) EXPECT_EQ(header_name_from(std::string(1, letter)), HeaderName::Other) << letter;
}

TEST(HeaderNames, UnknownNamesAreOther) {
  EXPECT_EQ(header_name_from(""), HeaderName::Other);
  EXPECT_EQ(name(HeaderName::Other), "");
  for (const std::string_view text : {"Vi", "Viaa", "X-Via", "Fron", "Call_ID", "CallID", "P-Charging-Vector", "\xff\xfe", "Allow-Event"})
    EXPECT_EQ(header_name_from(text), HeaderName::Other) << text;
}

TEST(Methods, AreCaseSensitive) {
  for (int i = 1; i <= static_cast<int>(Method::Publish); ++i) {
    const auto method = static_cast<Method>(i);
    EXPECT_EQ(method_from(name(method)), method);
  }
  EXPECT_EQ(name(Method::Invite), "INVITE");
  EXPECT_EQ(name(Method::Other), "");
  for (const std::string_view text : {"", "invite", "Invite", "INVITES", "INVIT", "NEWMETHOD"}) EXPECT_EQ(method_from(text), Method::Other);
}

}  // namespace
}  // namespace perdure::sip
