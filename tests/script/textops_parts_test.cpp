// KSR.textops: bodies of several parts.
#include <gmock/gmock.h>

#include "evaluate.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;

const std::string html = "Content-Type: text/html\r\n\r\n<b>hello</b>\r\n";
const std::string sdp = "Content-Type: application/sdp;x=y\r\nX-Y: z\r\n\r\nv=0\r\n\r\n";
const std::string two = "--x\r\n" + html + "--x\r\n" + sdp + "--x--\r\n";

Request with_body(const std::string& body, const std::string& type) {
  Request request;
  request.method = "MESSAGE";
  request.headers = "Max-Forwards: 70\r\nContent-Type: " + type + "\r\n";
  request.body = body;
  return request;
}

// What leaves after these statements, or the script's error.
Sent forwarded(const std::string& statements, const Request& request) {
  Bench bench("function ksr_request_route()\n" + statements + "\nKSR.tm.t_relay()\nend\n");
  const auto sent = bench.receive(request);
  if (const auto* out = first(sent, "MESSAGE")) return *out;
  return {bench.runner().counters().last_error, {}};
}
std::string body_of(const Sent& sent) {
  const auto end = sent.bytes.find("\r\n\r\n");
  return end == std::string::npos ? sent.bytes : sent.bytes.substr(end + 4);
}
std::string body_after(const std::string& statements) {
  const Sent sent = forwarded(statements, with_body(two, "multipart/mixed;boundary=x"));
  EXPECT_EQ(sent.header("Content-Length"), std::to_string(body_of(sent).size())) << statements;
  return body_of(sent);
}

TEST(BodyParts, AreAppended) {
  EXPECT_EQ(body_after("KSR.textops.append_body_part('one', 'text/plain')"),
            "--x\r\n" + html + "--x\r\n" + sdp + "--x\r\nContent-Type: text/plain\r\n\r\none\r\n--x--\r\n");
  EXPECT_EQ(body_after("KSR.textops.append_body_part_cd('one', 'text/plain\\r\\nX-A: b', 'signal;handling=required')\n"
                       "KSR.textops.append_body_part_hex('6b 61\\r\\n6D', 'application/x')"),
            "--x\r\n" + html + "--x\r\n" + sdp +
                "--x\r\nContent-Type: text/plain\r\nX-A: b\r\nContent-Disposition: signal;handling=required\r\n\r\none\r\n"
                "--x\r\nContent-Type: application/x\r\n\r\nkam\r\n--x--\r\n");
  EXPECT_THAT(body_after("assert(KSR.textops.append_body_part_hex_cd('6b 6', 'a/b', 'c') == -1)\n"
                         "assert(KSR.textops.append_body_part_hex_cd('6b', 'a/b', 'c') == 1)"),
              HasSubstr("--x\r\nContent-Type: a/b\r\nContent-Disposition: c\r\n\r\nk\r\n--x--"));
  EXPECT_THAT(forwarded("KSR.textops.append_body_part('a\\r\\n--x\\r\\nb', 'a/b')", with_body(two, "multipart/mixed;boundary=x")).bytes,
              HasSubstr("the part contains the boundary"));
  EXPECT_EQ(evaluate("KSR.textops.append_body_part('a', 'a/b')", with_body("hello", "text/plain")), "number -1");
  EXPECT_EQ(evaluate("KSR.textops.append_body_part('a', 'a/b')", with_body("--x\r\nno end", "multipart/mixed;boundary=x")), "number -1");
}

TEST(BodyParts, AreRemovedByType) {
  EXPECT_EQ(body_after("assert(KSR.textops.remove_body_part('APPLICATION/sdp') == 1)"), "--x\r\n" + html + "--x--\r\n");
  EXPECT_EQ(body_after("assert(KSR.textops.remove_body_part('text/html') == 1)"), "--x\r\n" + sdp + "--x--\r\n");
  EXPECT_EQ(body_after("assert(KSR.textops.remove_body_part('text/html') == 1)\nassert(KSR.textops.append_body_part('a', 'a/b') == 1)"),
            "--x\r\n" + sdp + "--x\r\nContent-Type: a/b\r\n\r\na\r\n--x--\r\n");
  EXPECT_EQ(body_after("assert(KSR.textops.remove_body_part('text/plain') == -1)"), two);
}

TEST(BodyParts, AreRead) {
  const auto get = [](const std::string& call, const Request& request) {
    return evaluate("KSR.textops." + call + " .. ' ' .. KSR.pv.gete('$avp(part)')", request);
  };
  const auto parts = with_body(two, "multipart/mixed; boundary=\"x\"");
  EXPECT_EQ(get("get_body_part('application/sdp', '$avp(part)')", parts), "string 1 v=0\\r\\n");
  EXPECT_EQ(get("get_body_part_raw('text/html', '$avp(part)')", parts),
            "string 1 Content-Type: text/html\\r\\n\\r\\n<b>hello</b>\\r\\n--x\\r\\n");
  EXPECT_EQ(get("get_body_part('text/plain', '$avp(part)')", parts), "string -1 ");
  EXPECT_EQ(get("get_body_part('text/plain', '$avp(part)')", with_body("whole", "a/b")), "string 1 whole");
  EXPECT_EQ(get("get_body_part('text/plain', '$avp(part)')", Request{}), "string -1 ");
}

TEST(BodyParts, ABodyBecomesTheOnlyPart) {
  const auto plain = with_body("hello\r\n", "text/plain");
  Sent sent = forwarded("KSR.textops.set_body_multipart_mode()", plain);
  EXPECT_EQ(body_of(sent), "--unique-boundary-1\r\nContent-Type: text/plain\r\n\r\nhello\r\n\r\n--unique-boundary-1--\r\n");
  EXPECT_EQ(sent.header("Content-Type"), "multipart/mixed;boundary=\"unique-boundary-1\"");
  EXPECT_EQ(sent.header("MIME-Version"), "1.0");
  sent = forwarded(
      "KSR.textops.set_body_multipart_boundary('bb')\nKSR.textopsx.msg_apply_changes()\nKSR.textops.append_body_part('a', 'a/b')", plain);
  EXPECT_EQ(body_of(sent), "--bb\r\nContent-Type: text/plain\r\n\r\nhello\r\n\r\n--bb\r\nContent-Type: a/b\r\n\r\na\r\n--bb--\r\n");
  EXPECT_EQ(body_of(forwarded("KSR.textops.set_body_multipart('one', 'a/b', 'cc')", plain)),
            "--cc\r\nContent-Type: a/b\r\n\r\none\r\n--cc--\r\n");
  EXPECT_EQ(body_of(forwarded("KSR.textops.set_body_multipart_content('one', 'a/b')", plain)),
            "--unique-boundary-1\r\nContent-Type: a/b\r\n\r\none\r\n--unique-boundary-1--\r\n");
  EXPECT_EQ(body_after("assert(KSR.textops.set_body_multipart_mode() == 1)"), two) << "it is one already";
  EXPECT_EQ(evaluate("KSR.textops.set_body_multipart_mode()"), "number -1") << "there is no body";
  EXPECT_THAT(evaluate("KSR.textops.set_body_multipart('a', 'a/b', 'x\\r\\ny')", plain), HasSubstr("is no boundary"));
}

}  // namespace
}  // namespace perdure::script
