// RFC 3261 16.11 and 8.2.7: what is forwarded or answered without a transaction.
#include <algorithm>
#include <charconv>

#include "base/checksum.hpp"
#include "proxy/core.hpp"
#include "proxy/delivery.hpp"
#include "sip/builder.hpp"
#include "sip/params.hpp"

namespace perdure::proxy {

int Proxy::Impl::forward_stateless(RoutingContext& context) {
  const auto refusal = validate(context);
  if (refusal.code) {
    reply_stateless(context, refusal.code, refusal.reason, refusal.headers);
    return -1;
  }
  const auto hop = next_hop(context, context.target);
  return hop ? forward_stateless_to(context, *hop, hop->server_name) : forward_stateless_by_name(context);
}

bool Proxy::Impl::would_come_back(sip::Method method, const NextHop& hop) const {
  if (method != sip::Method::Cancel && method != sip::Method::Ack) return false;  // 16.3 item 4 is about branches
  return std::ranges::any_of(options_.sockets, [&](const LocalSocket& socket) { return socket.address == hop.address; });
}

int Proxy::Impl::forward_stateless_to(RoutingContext& context, const NextHop& hop, std::string_view server_name) {
  const auto method = context.message->method();
  if (would_come_back(method, hop)) {
    context.finished = true;
    return method == sip::Method::Ack ? -1 : reply_stateless(context, 481, "Call/Transaction Does Not Exist");
  }
  FrameScope scope(*this, *context.outputs);
  auto& text = scope.frame.scratch;
  text.clear();
  write_stateless(context, hop, text);
  ++counters_.stateless;
  context.finished = true;
  const Send send{context.outputs->copy(text), hop.address, hop.socket, 0,
                  sip::is_secure(hop.transport) ? context.outputs->copy(server_name) : ""};
  context.outputs->send(to_next_hop(send, context.switches));
  return 1;
}

void Proxy::Impl::write_stateless(RoutingContext& context, const NextHop& hop, std::string& out) {
  const auto branch = transaction::stateless_branch(*context.message, options_.secret);
  sip::Edits& edits = context.frame->branch_edits;
  edits = *context.edits;
  write_forwarded(context, context.target, hop, {branch.data(), branch.size()}, edits, 0, out);
}

// 16.11: a response whose transaction is not here goes where the next Via says.
void Proxy::Impl::forward_response_stateless(Frame& frame) {
  ++counters_.stray_responses;
  if (!options_.forward_stray_responses || frame.message.status() == 100) return;  // a 100 is for one hop (16.7 item 3)
  const sip::Message& response = frame.message;
  const sip::Via* second = nullptr;
  std::optional<sip::Via> parsed;
  std::size_t index = 0;
  for (const auto& value : response.values(sip::HeaderName::Via)) {
    if (index++ == 0) {
      frame.edits.remove_value(value);
      continue;
    }
    parsed = sip::Via::parse(value.text);
    second = parsed ? &*parsed : nullptr;
    break;
  }
  if (!second) return;
  const auto transport = transport_from(second->transport);
  if (!transport) return;
  const std::uint64_t connection = is_reliable(*transport) ? connection_of(response) : 0;
  // 18.2.2: received and rport, as the hop before us wrote them.
  std::uint16_t port = second->port ? second->port : sip::default_port(*transport);
  if (!second->rport.empty()) std::from_chars(second->rport.data(), second->rport.data() + second->rport.size(), port);
  const auto address = SocketAddress::parse(second->received.empty() ? second->host : second->received, port);
  if (!address || port == 0 || !address->is_unicast()) return;
  const auto socket = socket_for(*transport, address->family, frame.received.socket);
  if (!socket) return;
  frame.scratch.clear();
  frame.edits.serialize_append(response, frame.scratch);
  Outputs& outputs = *frame.context.outputs;
  outputs.send({outputs.copy(frame.scratch), *address, *socket, connection, {}});
}

namespace {
std::uint32_t connection_seal(const sip::Message& message, std::uint64_t connection, std::uint64_t secret) {
  return static_cast<std::uint32_t>(checksum(message.call_id(), secret + 3 + connection));
}
}  // namespace

void Proxy::Impl::append_connection(const sip::Message& request, std::uint64_t connection, std::string& out) const {
  char text[32];
  out += ";i=";
  out.append(text, std::to_chars(text, text + sizeof text, connection, 16).ptr);
  out += '.';
  out.append(text, std::to_chars(text, text + sizeof text, connection_seal(request, connection, options_.secret), 16).ptr);
}

std::uint64_t Proxy::Impl::connection_of(const sip::Message& response) const {
  const auto text = sip::find_param(response.top_via()->params, "i");
  if (!text) return 0;
  std::uint64_t connection = 0;
  std::uint32_t seal = 0;
  const char *const begin = text->data(), *const end = begin + text->size();
  const auto number = std::from_chars(begin, end, connection, 16);
  if (number.ec != std::errc{} || number.ptr == end || *number.ptr != '.') return 0;
  const auto rest = std::from_chars(number.ptr + 1, end, seal, 16);
  if (rest.ec != std::errc{} || rest.ptr != end || seal != connection_seal(response, connection, options_.secret)) return 0;
  return connection;
}

int Proxy::Impl::reply_stateless(RoutingContext& context, std::uint16_t code, std::string_view reason, std::string_view headers) {
  context.finished = true;
  const sip::Message& request = *context.message;
  if (request.method() == sip::Method::Ack) return -1;  // an ACK is never answered
  // A Via that cannot be read is sent back as it came, to where it came from.
  const sip::Via* top = request.top_via();
  if (request.count(sip::HeaderName::Via) == 0) return -1;
  observer_->on_stateless_reply(code);
  FrameScope scope(*this, *context.outputs);
  auto& text = scope.frame.scratch;
  text.clear();
  // The same To tag for every retransmission of the request (8.2.7).
  char tag[20];
  const auto branch = transaction::stateless_branch(request, options_.secret);
  const auto end = std::to_chars(tag, tag + sizeof tag, checksum(branch.data(), branch.size(), options_.secret), 16).ptr;
  text_.clear();
  if (top) sip::via_with_received(*top, context.received->source, text_, context.force_rport);
  lines_.assign(headers);
  lines_ += context.upstream_headers;
  if (!context.reply_body.empty()) lines_.append("Content-Type: ").append(context.reply_content_type).append("\r\n");
  sip::build_response(request, code, reason, code == 100 ? std::string_view{} : std::string_view(tag, static_cast<std::size_t>(end - tag)),
                      lines_, context.reply_body, text_, text);
  const Send send{context.outputs->copy(text),
                  reply_address(request, *context.received, context.force_rport),
                  context.received->socket,
                  context.received->connection,
                  {}};
  context.outputs->send(to_caller(send, context.switches, code));
  return 1;
}

}  // namespace perdure::proxy
