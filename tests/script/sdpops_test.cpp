// KSR.sdpops: what it says about an offer, and the offer that leaves.
#include "evaluate.hpp"

namespace perdure::script {
namespace {

const std::string offer =
    "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=X-session:1\r\n"
    "m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=X-audio:1\r\n"
    "m=video 0 RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";

Request with(const std::string& body, const std::string& type = "application/sdp") {
  Request request;
  request.headers += "Content-Type: " + type + "\r\n";
  request.body = body;
  return request;
}

struct Row {
  const char* expression;
  const char* result;
};
class Sdpops : public testing::TestWithParam<Row> {};

TEST_P(Sdpops, SaysWhatTheOfferHas) {
  EXPECT_EQ(evaluate(GetParam().expression, with(offer)), GetParam().result) << GetParam().expression;
  const std::string parts =
      "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" + offer + "\r\n--x--\r\n";
  EXPECT_EQ(evaluate(GetParam().expression, with(parts, "multipart/mixed;boundary=x")), GetParam().result) << "as a part";
}

const Row rows[] = {
    {"KSR.sdpops.sdp_content()", "number 1"},
    {"KSR.sdpops.sdp_content_flags(1)", "number 1"},
    {"KSR.sdpops.sdp_with_media('audio')", "number 1"},
    {"KSR.sdpops.sdp_with_media('image')", "number 0"},
    {"KSR.sdpops.sdp_with_active_media('audio')", "number 1"},
    {"KSR.sdpops.sdp_with_active_media('video')", "number 0"},
    {"KSR.sdpops.sdp_with_transport('RTP/AVP')", "number 1"},
    {"KSR.sdpops.sdp_with_transport('RTP')", "number -1"},
    {"KSR.sdpops.sdp_with_transport_like('SAVP')", "number 1"},
    {"KSR.sdpops.sdp_with_codecs_by_id('3,8')", "number 2"},
    {"KSR.sdpops.sdp_with_codecs_by_id('3')", "number 0"},
    {"KSR.sdpops.sdp_with_codecs_by_name('GSM,pcma')", "number 2"},
    {"KSR.sdpops.sdp_with_codecs_by_name('VP9')", "number -1"},
    {"KSR.sdpops.sdp_with_ice()", "number 1"},
    {"KSR.sdpops.sdp_transport('common')", "number -2"},
    {"KSR.sdpops.sdp_get_line_startswith('$avp(line)', 'a=X-') and KSR.pv.get('$avp(line)')", "string a=X-session:1"},
    {"KSR.sdpops.sdp_get_line_startswith('$avp(line)', 'b=')", "number -1"},
    {"KSR.sdpops.sdp_get('$avp(sdp)') and #KSR.pv.get('$avp(sdp)')", "number 272"},
    {"KSR.sdpops.remove_media('image')", "number 0"},
    {"KSR.sdpops.remove_line_by_prefix('', '')",
     "error default.lua:4: KSR.sdpops.remove_line_by_prefix: an empty prefix is that of all lines"},
    {"KSR.textops.is_audio_on_hold()", "number -1"},
};
INSTANTIATE_TEST_SUITE_P(Rows, Sdpops, testing::ValuesIn(rows), [](const auto& row) { return "Row" + std::to_string(row.index); });

TEST(SdpopsOffer, IsNoneWithoutItsType) {
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_content()", with(offer, "text/plain")), "number -1");
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_get('$avp(x)')", with(offer, "text/plain")), "number -1");
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_get('$avp(x)')"), "number -2");
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_content()", with("hello")), "number -1");
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_content_flags(1)", with("hello")), "number 1");
  EXPECT_EQ(evaluate("KSR.sdpops.keep_codecs_by_id('0', '')"), "number -1");
}

TEST(SdpopsOffer, IsOnHoldByDirectionOrAddress) {
  EXPECT_EQ(evaluate("KSR.textops.is_audio_on_hold()", with("v=0\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n")), "number 2");
  EXPECT_EQ(evaluate("KSR.textops.is_audio_on_hold()", with("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n")), "number 1");
  EXPECT_EQ(evaluate("KSR.textops.is_audio_on_hold()", with("v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 0\r\na=recvonly\r\n")),
            "number -1");
}

// The body as it leaves after that piece of script, without what stands before the first medium.
std::string forwarded(const std::string& statement) {
  Bench bench("function ksr_request_route()\n  KSR.seturi('sip:127.0.0.1:7001')\n  " + statement + "\n  KSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(with(offer));
  EXPECT_EQ(bench.runner().counters().errors, 0U) << bench.runner().counters().last_error;
  const auto* invite = first(sent, "INVITE ");
  if (!invite) return {};
  const std::string body = invite->bytes.substr(invite->bytes.find("\r\n\r\n") + 4);
  EXPECT_EQ(invite->header("Content-Length"), std::to_string(body.size()));
  const auto media = body.find("m=");
  return media == std::string::npos ? std::string() : body.substr(media);
}

const std::string video = "m=video 0 RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\na=candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\n";

TEST(SdpopsOffer, ReturnsWhatWasRemovedAsKamailioDoes) {
  EXPECT_EQ(evaluate("KSR.sdpops.remove_codecs_by_id('0', '') .. KSR.sdpops.remove_codecs_by_name('iLBC', '')", with(offer)), "string 0-1");
  EXPECT_EQ(evaluate("KSR.sdpops.remove_line_by_prefix('a=X-', '') .. KSR.sdpops.remove_media('video')", with(offer)), "string 21");
  const std::string audio = "v=0\r\nm=audio 1 RTP/AVP 0 8\r\n";
  EXPECT_EQ(evaluate("KSR.sdpops.sdp_with_codecs_by_id('0,8') .. KSR.sdpops.sdp_with_codecs_by_name('PCMU,GSM')", with(audio)),
            "string 12");
}

TEST(SdpopsOffer, LosesCodecs) {
  EXPECT_EQ(forwarded("KSR.sdpops.remove_codecs_by_id('101,0', 'audio')"), "m=audio 49170 RTP/AVP 8\r\na=X-audio:1\r\n" + video);
  EXPECT_EQ(forwarded("KSR.sdpops.remove_codecs_by_name('PCMU,telephone-event', '')"),
            "m=audio 49170 RTP/AVP 8\r\na=X-audio:1\r\n" + video);
  EXPECT_EQ(forwarded("KSR.sdpops.keep_codecs_by_name('PCMA', 'audio')"), "m=audio 49170 RTP/AVP 8\r\na=X-audio:1\r\n" + video);
  EXPECT_EQ(forwarded("KSR.sdpops.keep_codecs_by_id('8', 'audio')"), "m=audio 49170 RTP/AVP 8\r\na=X-audio:1\r\n" + video);
}

TEST(SdpopsOffer, LosesMediaAndLines) {
  EXPECT_EQ(forwarded("KSR.sdpops.remove_media('audio')"), video);
  EXPECT_EQ(forwarded("KSR.sdpops.remove_media('video') KSR.sdpops.remove_line_by_prefix('a=', '')"), "m=audio 49170 RTP/AVP 0 8 101\r\n");
  EXPECT_EQ(forwarded("KSR.sdpops.remove_media('video') KSR.sdpops.remove_line_by_prefix('a=X', 'audio')"),
            "m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n");
}

}  // namespace
}  // namespace perdure::script
