#pragma once
// Every message of RFC 4475 and RFC 5118 (tests/fixtures) with its outcome: what the parser says, and what a stateful proxy without
// extensions does with what passes. The parser's half is checked in tests/sip, the proxy's in tests/proxy.
#include <cstdint>
#include <string_view>

namespace perdure::sip::torture {

enum class Proxy : std::uint8_t { Forwards, Answers, Drops };

struct Row {
  std::string_view file;     // below tests/fixtures
  std::string_view section;  // of the RFC that the folder is named after
  std::uint16_t status = 0;  // with which parse() or check() refuses it, 0: both pass it
  std::string_view reason;
  Proxy proxy = Proxy::Forwards;
  std::uint16_t proxy_status = 0;  // of the answer, where it gives one
};

consteval Row forwarded(std::string_view file, std::string_view section) {
  return {file, section, 0, {}, Proxy::Forwards, 0};
}
// Passes the parser; the proxy answers it.
consteval Row answered(std::string_view file, std::string_view section, std::uint16_t status) {
  return {file, section, 0, {}, Proxy::Answers, status};
}
// Passes the parser; the proxy throws it away.
consteval Row discarded(std::string_view file, std::string_view section) {
  return {file, section, 0, {}, Proxy::Drops, 0};
}
consteval Row refused(std::string_view file, std::string_view section, std::uint16_t status, std::string_view reason) {
  return {file, section, status, reason, Proxy::Answers, status};
}
// A response is never answered.
consteval Row refused_response(std::string_view file, std::string_view section, std::string_view reason) {
  return {file, section, 400, reason, Proxy::Drops, 0};
}

inline constexpr Row rows[] = {
    // RFC 4475 3.1.1: valid messages.
    // 3.1.1.1: folds, odd case, compact names, whitespace wherever the grammar has it, empty headers.
    forwarded("rfc4475/wsinv.dat", "3.1.1.1"),
    // 3.1.1.2: every character that the grammar allows, in a method of its own, with NUL, UTF-8 and escapes in quotes.
    forwarded("rfc4475/intmeth.dat", "3.1.1.2"),
    // 3.1.1.3: escapes in URIs stay escapes: the user part contains a colon and an at sign, yet there is no password.
    forwarded("rfc4475/esc01.dat", "3.1.1.3"),
    // 3.1.1.4: an escaped NUL is a character like others.
    forwarded("rfc4475/escnull.dat", "3.1.1.4"),
    // 3.1.1.5: a percent sign in a method, header name, branch or display name escapes nothing.
    forwarded("rfc4475/esc02.dat", "3.1.1.5"),
    // 3.1.1.6: no whitespace between display name and '<'.
    forwarded("rfc4475/lwsdisp.dat", "3.1.1.6"),
    // 3.1.1.7: long names and values, 34 Vias.
    forwarded("rfc4475/longreq.dat", "3.1.1.7"),
    // 3.1.1.8: a second request behind the first in one datagram is not looked at.
    forwarded("rfc4475/dblreq.dat", "3.1.1.8"),
    // 3.1.1.9: the semicolon belongs to the user part.
    forwarded("rfc4475/semiuri.dat", "3.1.1.9"),
    // 3.1.1.10: transports in Vias that nobody here speaks.
    forwarded("rfc4475/transports.dat", "3.1.1.10"),
    // 3.1.1.11: a body of binary parts.
    forwarded("rfc4475/mpart01.dat", "3.1.1.11"),
    // 3.1.1.12: UTF-8 and specials in a reason phrase.
    forwarded("rfc4475/unreason.dat", "3.1.1.12"),
    // 3.1.1.13: an empty reason phrase. A 100 ends at the hop that gets it (RFC 3261 16.7 step 3).
    discarded("rfc4475/noreason.dat", "3.1.1.13"),

    // RFC 4475 3.1.2: invalid messages.
    // 3.1.2.1: empty parameters and values in Via and Contact.
    refused("rfc4475/badinv01.dat", "3.1.2.1", 400, "Bad Via header"),
    // 3.1.2.2: a datagram that ends before its Content-Length.
    refused("rfc4475/clerr.dat", "3.1.2.2", 400, "Content-Length larger than datagram"),
    // 3.1.2.3: a negative one.
    refused("rfc4475/ncl.dat", "3.1.2.3", 400, "Bad Content-Length header"),
    // 3.1.2.4: CSeq and Max-Forwards beyond their limits; Expires is for the registrar to judge.
    refused("rfc4475/scalar02.dat", "3.1.2.4", 400, "Bad CSeq header"),
    // 3.1.2.5: the same in a response.
    refused_response("rfc4475/scalarlg.dat", "3.1.2.5", "Bad CSeq header"),
    // 3.1.2.6: a quote that does not end.
    refused("rfc4475/quotbal.dat", "3.1.2.6", 400, "Bad To header"),
    // 3.1.2.7: angle brackets around the Request-URI.
    refused("rfc4475/ltgtruri.dat", "3.1.2.7", 400, "Bad Request-URI"),
    // 3.1.2.8: a space in the Request-URI.
    refused("rfc4475/lwsruri.dat", "3.1.2.8", 400, "Bad Request-URI"),
    // 3.1.2.9: two spaces between the elements of the Request-Line.
    refused("rfc4475/lwsstart.dat", "3.1.2.9", 400, "Bad Request-Line"),
    // 3.1.2.10: spaces behind the version.
    refused("rfc4475/trws.dat", "3.1.2.10", 400, "Bad Request-Line"),
    // 3.1.2.11: headers in the Request-URI.
    refused("rfc4475/escruri.dat", "3.1.2.11", 400, "Bad Request-URI"),
    // 3.1.2.12: a time zone other than GMT; who has no use for the Date ignores it.
    forwarded("rfc4475/baddate.dat", "3.1.2.12"),
    // 3.1.2.13: a Contact with '?' and without brackets is for the registrar to refuse.
    forwarded("rfc4475/regbadct.dat", "3.1.2.13"),
    // 3.1.2.14: spaces inside the angle brackets of To.
    refused("rfc4475/badaspec.dat", "3.1.2.14", 400, "Bad To header"),
    // 3.1.2.15: commas in unquoted display names; the file ends without its empty line besides.
    refused("rfc4475/baddn.dat", "3.1.2.15", 400, "Headers do not end with an empty line"),
    // 3.1.2.16: SIP/7.0.
    refused("rfc4475/badvers.dat", "3.1.2.16", 505, "Version Not Supported"),
    // 3.1.2.17: another method in CSeq than in the Request-Line.
    refused("rfc4475/mismatch01.dat", "3.1.2.17", 400, "CSeq method does not match"),
    // 3.1.2.18: the same with an unknown method; 501 is for an endpoint, a proxy does not mind the method.
    refused("rfc4475/mismatch02.dat", "3.1.2.18", 400, "CSeq method does not match"),
    // 3.1.2.19: a status code of ten digits.
    refused_response("rfc4475/bigcode.dat", "3.1.2.19", "Bad Status-Line"),

    // RFC 4475 3.2: the transaction layer.
    // 3.2.1: a branch that is nothing but the cookie is no transaction identifier; the fields of RFC 2543 match instead.
    forwarded("rfc4475/badbranch.dat", "3.2.1"),

    // RFC 4475 3.3: the application layer.
    // 3.3.1: no From, To, Call-ID.
    refused("rfc4475/insuf.dat", "3.3.1", 400, "Missing From header"),
    // 3.3.2: a scheme that nobody knows.
    answered("rfc4475/unkscm.dat", "3.3.2", 416),
    // 3.3.3: a scheme that exists, but not for SIP.
    answered("rfc4475/novelsc.dat", "3.3.3", 416),
    // 3.3.4: unknown schemes in To, From and Contact are no business of a proxy.
    forwarded("rfc4475/unksm2.dat", "3.3.4"),
    // 3.3.5: Proxy-Require names extensions that we do not have; Require is for the endpoint.
    answered("rfc4475/bext01.dat", "3.3.5", 420),
    // 3.3.6: an unknown body is for the endpoint (415).
    forwarded("rfc4475/invut.dat", "3.3.6"),
    // 3.3.7: an unknown authorization scheme is for the registrar; who does not ask for credentials passes it on.
    forwarded("rfc4475/regaut01.dat", "3.3.7"),
    // 3.3.8: headers twice that may be there once.
    refused("rfc4475/multi01.dat", "3.3.8", 400, "Multiple From headers"),
    // 3.3.9: two lengths, and no way to know which is right.
    refused("rfc4475/mcl01.dat", "3.3.9", 400, "Multiple Content-Length headers"),
    // 3.3.10: well-formed, but to forward it would be a broadcast.
    discarded("rfc4475/bcast.dat", "3.3.10"),
    // 3.3.11: no hops left.
    answered("rfc4475/zeromf.dat", "3.3.11", 483),
    // 3.3.12: without brackets the parameter belongs to the Contact.
    forwarded("rfc4475/cparam01.dat", "3.3.12"),
    // 3.3.13: with brackets it belongs to the URI.
    forwarded("rfc4475/cparam02.dat", "3.3.13"),
    // 3.3.14: headers in the URI of a Contact.
    forwarded("rfc4475/regescrt.dat", "3.3.14"),
    // 3.3.15: what the caller accepts is for the endpoint (406).
    forwarded("rfc4475/sdp01.dat", "3.3.15"),

    // RFC 4475 3.4.1: RFC 2543: no branch, no tag, no Max-Forwards, no Content-Length.
    forwarded("rfc4475/inv2543.dat", "3.4.1"),

    // RFC 5118.
    // 4.1: an IPv6 reference in the Request-URI.
    forwarded("rfc5118/ipv6-good", "4.1"),
    // 4.2: the same without brackets.
    refused("rfc5118/ipv6-bad", "4.2", 400, "Bad Request-URI"),
    // 4.3: what looks like a port is inside of the brackets and a part of the address.
    forwarded("rfc5118/port-ambiguous", "4.3"),
    // 4.4: the port behind the brackets.
    forwarded("rfc5118/port-unambiguous", "4.4"),
    // 4.5: received= with and without brackets.
    forwarded("rfc5118/via-received-param-with-delim", "4.5"),
    forwarded("rfc5118/via-received-param-no-delim", "4.5"),
    // 4.6: IPv6 addresses in the body. Content-Length says 268 and there are 251 bytes, so a datagram receiver refuses it.
    refused("rfc5118/ipv6-in-sdp", "4.6", 400, "Content-Length larger than datagram"),
    // 4.7: IPv4 and IPv6 in Vias.
    forwarded("rfc5118/mult-ip-in-header", "4.7"),
    // 4.8: IPv4 and IPv6 in the body, and bytes behind it that are dropped.
    forwarded("rfc5118/mult-ip-in-sdp", "4.8"),
    // 4.9: IPv4-mapped IPv6 addresses, and bytes behind the body that are dropped.
    forwarded("rfc5118/ipv4-mapped-ipv6", "4.9"),
    // 4.10: the ABNF of RFC 3261 could be read to allow three colons in a row, so such messages exist and pass.
    forwarded("rfc5118/ipv6-bug-abnf-3-colons", "4.10"),
    forwarded("rfc5118/ipv6-correct-abnf-2-colons", "4.10"),
};

}  // namespace perdure::sip::torture
