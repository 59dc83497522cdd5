// What nobody may read in a trace.
#include "trace/mask.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perdure::trace {
namespace {

std::string masked(std::string text) {
  const auto before = text;
  mask_credentials(text);
  EXPECT_EQ(text.size(), before.size());
  EXPECT_TRUE(text == before || may_hold_credentials(before)) << before;
  return text;
}

TEST(Mask, OnlyTheAnswerOfDigestCredentials) {
  EXPECT_EQ(masked("REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"bob\", response=\"0123abcd\", nonce=\"n\"\r\n\r\n"),
            "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"bob\", response=xxxxxxxxxx, nonce=\"n\"\r\n\r\n");
}

TEST(Mask, CaseBlanksAndFoldedLinesHideNothing) {
  const auto text = masked(
      "INVITE sip:a SIP/2.0\r\nPROXY-authorization :\tdigest RESPONSE =\r\n \"secret\"\r\n\t,uri=\"sip:a\"\r\nTo: "
      "<sip:response=keep>\r\n\r\n");
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_NE(text.find("uri=\"sip:a\""), std::string::npos);
  EXPECT_NE(text.find("To: <sip:response=keep>\r\n"), std::string::npos);
}

TEST(Mask, AllOfOtherCredentials) {
  EXPECT_EQ(masked("A sip:a SIP/2.0\r\nAuthorization: Bearer eyJh.bGci\r\nProxy-Authorization:Basic YWI=\r\n\r\n"),
            "A sip:a SIP/2.0\r\nAuthorization: Bearer xxxxxxxxx\r\nProxy-Authorization:Basic xxxx\r\n\r\n");
  EXPECT_EQ(masked("A sip:a SIP/2.0\nAuthorization: token\n\n"), "A sip:a SIP/2.0\nAuthorization: xxxxx\n\n");
}

TEST(Mask, KeysOfMediaStreams) {
  EXPECT_EQ(masked("A sip:a SIP/2.0\r\n\r\nv=0\r\nk=clear:geheim\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
                   "inline:abc+/=|2^20|1:4;inline:def\r\na=rtpmap:0\r\n"),
            "A sip:a SIP/2.0\r\n\r\nv=0\r\nk=xxxxxxxxxxxx\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
            "inline:xxxxxx|2^20|1:4;inline:xxx\r\na=rtpmap:0\r\n");
}

TEST(Mask, NothingElse) {
  const std::string text =
      "INVITE sip:a SIP/2.0\r\nP-Asserted-Identity: <sip:a@b>\r\nProxy-Authenticate: Digest nonce=\"x\"\r\nAuthorization-Info: "
      "y\r\n\r\nAuthorization: body\r\n";
  EXPECT_EQ(masked(text), text);
}

TEST(Mask, WhatHoldsNoneIsSeenWithoutReadingIt) {
  const std::string text =
      "INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nAllow: ACK\r\nAccept: b\r\nP-Asserted-Identity: <sip:a@b>\r\nk: "
      "path\r\n\r\nv=0\r\na=rtpmap:0\r\n";
  EXPECT_FALSE(may_hold_credentials(text));
  // At every place, the end of the text and of what is compared at a time included.
  for (std::size_t filling = 0; filling < 40; ++filling)
    for (const std::string line : {"Authorization: Basic x", "PROXY-AUTHORIZATION: Basic x", "a=crypto:1 inline:x", "k=x"}) {
      const auto held = std::string(filling, 'x') + "\n" + line;
      EXPECT_TRUE(may_hold_credentials(held)) << held;
      EXPECT_TRUE(may_hold_credentials(held + text)) << held;
    }
}

TEST(Mask, AnyBytes) {
  for (const std::string text : {"", "\n", "a", "Authorization:", "x\r\nAuthorization: Digest", "x\r\nAuthorization: Digest response",
                                 "x\r\nAuthorization: Digest response=", "x\n\nk=", "x\n\na=crypto:inline:", "x\nAuthorization:\n \n \n"})
    (void)masked(text);
}

}  // namespace
}  // namespace perdure::trace
