#pragma once
// Messages that a proxy makes itself. All of them append to `out`.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/socket_address.hpp"
#include "sip/message.hpp"

namespace perdure::sip {

// "Not Found" for 404; a class name such as "Client Error" for a code without one.
[[nodiscard]] std::string_view default_reason(std::uint16_t code);

// RFC 3261 8.2.6: all Via, From, To, Call-ID, CSeq; Record-Route for 101..299; Timestamp for 100. Works on a request that parse() or
// check() refused, with what it has. `to_tag` is added if To has none and code > 100. `extra_lines`: complete header lines.
// A body needs its Content-Type among them. `top_via`: the text to put in place of the top Via value (via_with_received), empty: as it
// came.
void build_response(const Message& request, std::uint16_t code, std::string_view reason, std::string_view to_tag,
                    std::string_view extra_lines, std::string_view body, std::string_view top_via, std::string& out);

// RFC 3261 9.1, from the INVITE as it was sent.
void build_cancel(const Message& invite, std::string_view extra_lines, std::string& out);

// RFC 3261 17.1.1.3, for a final response other than 2xx.
void build_ack(const Message& invite, const Message& response, std::string& out);

// The Via value with received= and rport= as RFC 3261 18.2.1 and RFC 3581 4 demand of the server that got it from `source`; values of these
// that the sender wrote are not believed. `force_rport`: as if rport had been asked for.
void via_with_received(const Via& via, const SocketAddress& source, std::string& out, bool force_rport = false);

}  // namespace perdure::sip
