// RFC 3261 20.10, 20.20, 20.39 and 25.1: name-addr, addr-spec and their parameters.
#include "sip/name_addr.hpp"

#include <gtest/gtest.h>

namespace perdure::sip {
namespace {

TEST(NameAddrTest, FormsOfRfc3261) {
  struct Row {
    std::string_view text, display, uri, params, tag;
    bool bracketed;
  };
  const Row rows[] = {
      {"<sip:a@b>", "", "sip:a@b", "", "", true},
      {"sip:a@b", "", "sip:a@b", "", "", false},
      {"sip:a@b;tag=1", "", "sip:a@b", ";tag=1", "1", false},
      {"<sip:a@b;lr>;tag=1", "", "sip:a@b;lr", ";tag=1", "1", true},
      {"\"A. G. Bell\" <sip:agb@bell-telephone.com> ;tag=a48s", "\"A. G. Bell\"", "sip:agb@bell-telephone.com", ";tag=a48s", "a48s", true},
      {"Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "Anonymous", "sip:c8oqz84zk7z@privacy.org", ";tag=hyh8", "hyh8", true},
      {"Two Words<sip:a@b>", "Two Words", "sip:a@b", "", "", true},
      {"\"with <brackets>, comma; and \\\" quote\"<sip:a@b>", "\"with <brackets>, comma; and \\\" quote\"", "sip:a@b", "", "", true},
      {" \r\n <sip:a@b?subject=x,y>\r\n ; TAG = z ", "", "sip:a@b?subject=x,y", "; TAG = z", "z", true},
      {"<tel:+1-201-555-0123>;x=\"<>;tag=no\";tag=yes", "", "tel:+1-201-555-0123", ";x=\"<>;tag=no\";tag=yes", "yes", true},
      {"sip:a@b;x=\"<sip:c@d>\"", "", "sip:a@b", ";x=\"<sip:c@d>\"", "", false},
      // Not a token, but sent by many.
      {"M\xC3\xBCller (mobile) <sip:a@b>", "M\xC3\xBCller (mobile)", "sip:a@b", "", "", true},
  };
  for (const Row& row : rows) {
    const auto address = NameAddr::parse(row.text);
    ASSERT_TRUE(address.has_value()) << row.text;
    EXPECT_EQ(address->display, row.display);
    EXPECT_EQ(address->uri, row.uri);
    EXPECT_EQ(address->params, row.params);
    EXPECT_EQ(address->tag, row.tag);
    EXPECT_EQ(address->bracketed, row.bracketed);
  }
}

TEST(NameAddrTest, MalformedForms) {
  for (const std::string_view text : {"",
                                      " ",
                                      "<>",
                                      "<",
                                      "<sip:a@b",
                                      "sip:a@b>",
                                      "\"A\"",
                                      "\"A\" sip:a@b",
                                      "\"A <sip:a@b>",
                                      "A\" <sip:a@b>",
                                      "Bell, Alexander <sip:a@b>",
                                      "< sip:a@b>",
                                      "<sip:a@b >",
                                      "<sip:a @b>",
                                      "<a@b>",
                                      "<:a>",
                                      "<1sip:a>",
                                      "sip:",
                                      "sip:a@b?x=y",
                                      "sip:a@b,c",
                                      "sip:a b",
                                      "<sip:a@b>x",
                                      "<sip:a@b>;",
                                      "<sip:a@b>;;tag=1",
                                      "<sip:a@b>;tag=\"x",
                                      "*",
                                      "<<sip:a@b>>"})
    EXPECT_FALSE(NameAddr::parse(text).has_value()) << text;
}

TEST(NameAddrTest, ParametersAreFound) {
  const auto address = NameAddr::parse("<sip:a@b;expires=1>;q=0.5;Expires=3600;+sip.instance=\"<urn:uuid:0>\"");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->param("expires"), "3600");
  EXPECT_EQ(address->param("Q"), "0.5");
  EXPECT_EQ(address->param("+sip.instance"), "\"<urn:uuid:0>\"");
  EXPECT_EQ(address->param("tag"), std::nullopt);
}

}  // namespace
}  // namespace perdure::sip
