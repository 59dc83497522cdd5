// Time to read a message and to write it out changed, for messages of the sizes that phones send.
#include <benchmark/benchmark.h>

#include <string>

#include "sip/edits.hpp"
#include "sip/message.hpp"

namespace perdure::sip {
namespace {

const std::string body =
    "v=0\r\no=- 3878123456 3878123456 IN IP4 192.0.2.10\r\ns=call\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 20000 RTP/AVP 106 9 8 0 18 "
    "101\r\n"
    "a=rtpmap:106 opus/48000/2\r\na=fmtp:106 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

const std::string end_of_headers =
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, REFER, NOTIFY\r\nSupported: replaces, outbound\r\n"
    "Content-Type: application/sdp\r\nContent-Length: " +
    std::to_string(body.size()) + "\r\n\r\n" + body;

const std::string invite =
    "INVITE sip:bob@192.0.2.20:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\nMax-Forwards: 70\r\n"
    "From: \"Alice\" <sip:alice@example.org>;tag=1928301774\r\nTo: <sip:bob@example.org>\r\nCall-ID: a84b4c76e66710@192.0.2.10\r\n"
    "CSeq: 314159 INVITE\r\nContact: <sip:alice@192.0.2.10:5060>\r\nUser-Agent: Phone 1.0\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n" +
    end_of_headers;

const std::string ok =
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp0000002a0012345678.9abcdef0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport=5060;received=192.0.2.10\r\nRecord-Route: <sip:192.0.2.1:5060;lr>\r\n"
    "From: \"Alice\" <sip:alice@example.org>;tag=1928301774\r\nTo: <sip:bob@example.org>;tag=a6c85cf\r\n"
    "Call-ID: a84b4c76e66710@192.0.2.10\r\nCSeq: 314159 INVITE\r\nContact: <sip:bob@192.0.2.20:5062>\r\nUser-Agent: Phone 2.0\r\n" +
    end_of_headers;

void parse(benchmark::State& state, const std::string& text) {
  Message message;
  for (auto _ : state) {
    if (!message.parse(text)) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(message.headers().data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
void ParseInvite(benchmark::State& state) {
  parse(state, invite);
}
void ParseOk(benchmark::State& state) {
  parse(state, ok);
}
BENCHMARK(ParseInvite);
BENCHMARK(ParseOk);

// Parsed, checked, and everything looked at that a proxy needs to know.
void ParseAndLook(benchmark::State& state) {
  Message message;
  for (auto _ : state) {
    if (!message.parse(invite) || !message.check()) state.SkipWithError("refused");
    benchmark::DoNotOptimize(message.top_via());
    benchmark::DoNotOptimize(message.cseq());
    benchmark::DoNotOptimize(message.from());
    benchmark::DoNotOptimize(message.to());
    benchmark::DoNotOptimize(message.uri());
    benchmark::DoNotOptimize(message.call_id());
    benchmark::DoNotOptimize(message.max_forwards());
  }
}
BENCHMARK(ParseAndLook);

// What forwarding an INVITE changes: Via and Record-Route on top, Max-Forwards lowered, received and rport added.
void EditAndWrite(benchmark::State& state) {
  Message message;
  if (!message.parse(invite)) return state.SkipWithError("not parsed");
  const HeaderField& via = *message.find(HeaderName::Via);
  const HeaderField& max_forwards = *message.find(HeaderName::MaxForwards);
  Edits edits;
  std::string out;
  for (auto _ : state) {
    edits.clear();
    out.clear();
    edits.replace_value(via, "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport=5060;received=192.0.2.10");
    edits.replace_value(max_forwards, "69");
    edits.insert_at_top("Record-Route: <sip:192.0.2.1:5060;lr>\r\n");
    edits.insert_at_top("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKp0000002a0012345678.9abcdef0\r\n");
    edits.serialize_append(message, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * out.size()));
}
BENCHMARK(EditAndWrite);

// What forwarding a response changes: the top Via goes.
void RemoveAndWrite(benchmark::State& state) {
  Message message;
  if (!message.parse(ok)) return state.SkipWithError("not parsed");
  const HeaderField& via = *message.find(HeaderName::Via);
  Edits edits;
  std::string out;
  for (auto _ : state) {
    edits.clear();
    out.clear();
    edits.remove(via);
    edits.serialize_append(message, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * out.size()));
}
BENCHMARK(RemoveAndWrite);

}  // namespace
}  // namespace perdure::sip
