// Requests without a transaction whose next hop is a host name (RFC 3261 16.11, RFC 3263): an ACK of a 2xx, what a script forwards. If name
// servers have to be asked they wait in memory alone, because whoever misses their effect repeats them.
#include <memory>
#include <string>
#include <utility>

#include "proxy/core.hpp"
#include "proxy/delivery.hpp"

namespace perdure::proxy {

struct Proxy::Impl::Forwarded {
  std::string request, text;  // as received, as written for the socket `made_for`
  Received received;          // without its bytes
  std::uint16_t made_for = 0;
  std::uint16_t switches = 0;  // transaction::Switch
  bool record_routed = false, force_rport = false;
  locate::Destination destination;
};

int Proxy::Impl::forward_stateless_by_name(RoutingContext& context) {
  const auto named = named_hop(context, context.target);
  if (named && !named->waits) return forward_stateless_to(context, named->hop, named->destination.host);
  const auto refuse = [&] {
    reply_stateless(context, 478, "Unresolvable destination");
    return -1;
  };
  if (!named) return refuse();
  const auto forwarded = std::make_shared<Forwarded>();
  write_stateless(context, named->hop, forwarded->text);
  forwarded->request.assign(context.received->bytes);
  forwarded->received = *context.received;
  forwarded->made_for = named->hop.socket;
  forwarded->record_routed = context.record_route;
  forwarded->force_rport = context.force_rport;
  forwarded->switches = context.switches;
  forwarded->destination = named->destination;
  if (!search(named->destination, [forwarded](Impl& impl, locate::AnswerSet& answers, Time now, Outputs& outputs) {
        impl.forward_located(*forwarded, answers, now, outputs);
      }))
    return refuse();
  context.finished = true;
  return 1;
}

void Proxy::Impl::forward_located(const Forwarded& forwarded, locate::AnswerSet& answers, Time now, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  RoutingContext& context = frame.context;
  frame.received = forwarded.received;
  frame.received.bytes = forwarded.request;
  if (!frame.message.parse(forwarded.request)) return;
  context.now = now;
  context.received = &frame.received;
  context.message = &frame.message;
  context.force_rport = forwarded.force_rport;
  auto servers = find_servers(forwarded.destination, answers, frame.message.call_id(), now);
  const auto hop = servers ? take_server(*servers, forwarded.destination, forwarded.made_for) : std::nullopt;
  if (!hop) {
    ++counters_.names_failed;
    (void)reply_stateless(context, 478, "Unresolvable destination");
    return;
  }
  if (would_come_back(frame.message.method(), *hop)) return;
  frame.scratch.assign(forwarded.text);
  if (forwarded.record_routed) move_record_route(frame.scratch, frame.received.socket, forwarded.made_for, hop->socket);
  (void)set_top_via_socket(frame.scratch, options_.sockets[hop->socket]);
  ++counters_.stateless;
  const Send send{outputs.copy(frame.scratch), hop->address, hop->socket, 0,
                  sip::is_secure(hop->transport) ? outputs.copy(forwarded.destination.host) : ""};
  outputs.send(to_next_hop(send, forwarded.switches));
}

}  // namespace perdure::proxy
