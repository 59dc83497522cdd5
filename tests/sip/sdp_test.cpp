#include "sip/sdp.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sip/multipart.hpp"

namespace perdure::sip {
namespace {

constexpr std::string_view offer =
    "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=inactive\r\n"
    "m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendonly\r\n"
    "m=video 0 RTP/SAVPF 96\r\nc=IN IP6 ff15::101/3\r\na=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\n";

TEST(Sdp, HasTheMediaWithTheirOwnAndTheSessionsAttributes) {
  const auto sdp = SessionDescription::parse(offer);
  ASSERT_TRUE(sdp);
  EXPECT_TRUE(sdp->session.ends_with("a=inactive\r\n"));
  ASSERT_EQ(sdp->media.size(), 2U);
  const auto& audio = sdp->media[0];
  EXPECT_EQ(audio.type, "audio");
  EXPECT_EQ(audio.port, "49170");
  EXPECT_EQ(audio.transport, "RTP/AVP");
  EXPECT_EQ(audio.formats, "0 8 101");
  EXPECT_EQ(audio.address, "192.0.2.1");
  EXPECT_EQ(audio.direction, MediaDirection::SendOnly);
  EXPECT_EQ(audio.m_line, "m=audio 49170 RTP/AVP 0 8 101\r\n");
  const auto& video = sdp->media[1];
  EXPECT_EQ(video.address, "ff15::101");
  EXPECT_EQ(video.direction, MediaDirection::Inactive);
  EXPECT_EQ(std::string(sdp->session) + std::string(audio.text) + std::string(video.text), offer);
}

TEST(Sdp, NamesCodecsByTheirRtpmapAndTheStaticOnesWithout) {
  const auto sdp = SessionDescription::parse(offer);
  ASSERT_TRUE(sdp);
  EXPECT_EQ(codec_name(sdp->media[0], "0"), "PCMU");
  EXPECT_EQ(codec_name(sdp->media[0], "8"), "PCMA");
  EXPECT_EQ(codec_name(sdp->media[0], "101"), "telephone-event");
  EXPECT_EQ(codec_name(sdp->media[0], "96"), "");
  EXPECT_EQ(codec_name(sdp->media[1], "96"), "VP8");
}

TEST(Sdp, TellsWhichFormatALineIsAbout) {
  SdpLines lines("a=rtpmap:8 PCMA/8000\r\na=fmtp:101 0-15\na=rtcp-fb:* nack\r\na=sendrecv\r\nnonsense\r\nm=audio");
  EXPECT_EQ(format_of(*lines.next()), "8");
  EXPECT_EQ(format_of(*lines.next()), "101");
  EXPECT_EQ(format_of(*lines.next()), "*");
  EXPECT_EQ(format_of(*lines.next()), "");
  const auto last = lines.next();  // the one without '=' at its place is passed over
  ASSERT_TRUE(last);
  EXPECT_EQ(last->type, 'm');
  EXPECT_FALSE(lines.next());
}

TEST(Sdp, RefusesWhatIsNone) {
  EXPECT_FALSE(SessionDescription::parse(""));
  EXPECT_FALSE(SessionDescription::parse("m=audio 1 RTP/AVP 0\r\n"));
  EXPECT_FALSE(SessionDescription::parse("v=0\r\nm=audio 1\r\n"));
  std::string many = "v=0\r\n";
  for (std::size_t i = 0; i < SessionDescription::media_max; ++i) many += "m=audio 1 RTP/AVP 0\r\n";
  EXPECT_TRUE(SessionDescription::parse(many));
  EXPECT_FALSE(SessionDescription::parse(many + "m=audio 1 RTP/AVP 0\r\n"));
}

TEST(Sdp, LivesWithBareLineFeedsAndAnUnfinishedLastLine) {
  const auto sdp = SessionDescription::parse("v=0\nm=audio 1 RTP/AVP 0 8");
  ASSERT_TRUE(sdp);
  ASSERT_EQ(sdp->media.size(), 1U);
  EXPECT_EQ(sdp->media[0].formats, "0 8");
}

constexpr std::string_view parts =
    "a preamble\r\n--x\r\nContent-Type: application/sdp\r\nContent-ID: <1>\r\n\r\nv=0\r\n\r\n--x\r\n\r\nno type\r\n--x--\r\nan "
    "epilogue\r\n";

TEST(Multipart, HasTheBoundaryOfItsType) {
  EXPECT_EQ(multipart_boundary("multipart/mixed;boundary=x"), "x");
  EXPECT_EQ(multipart_boundary("Multipart/related; type=\"a/b\"; boundary=\"x y\""), "x y");
  EXPECT_FALSE(multipart_boundary("application/sdp;boundary=x"));
  EXPECT_FALSE(multipart_boundary("multipart/mixed"));
  EXPECT_FALSE(multipart_boundary("multipart/mixed;boundary=" + std::string(71, 'x')));
}

TEST(Multipart, GoesThroughTheParts) {
  PartReader reader(parts, "x");
  auto part = reader.next();
  ASSERT_TRUE(part);
  EXPECT_EQ(part->header("content-id"), "<1>");
  EXPECT_EQ(part->header("Subject"), "");
  EXPECT_EQ(part->content, "v=0\r\n");
  part = reader.next();
  ASSERT_TRUE(part);
  EXPECT_EQ(part->headers, "");
  EXPECT_EQ(part->content, "no type");
  EXPECT_FALSE(reader.next());
}

TEST(Multipart, FindsAPartByItsType) {
  const auto part = find_part(parts, "x", "Application/SDP");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->content, "v=0\r\n");
  EXPECT_FALSE(find_part(parts, "x", "text/plain"));
}

TEST(Multipart, APartThatDoesNotEndIsNone) {
  PartReader reader("--x\r\nContent-Type: a/b\r\n\r\ntext", "x");
  EXPECT_FALSE(reader.next());
  PartReader longer("--xy\r\n\r\ntext\r\n--xy--\r\n", "x");  // the delimiter of another boundary
  EXPECT_FALSE(longer.next());
}

}  // namespace
}  // namespace perdure::sip
