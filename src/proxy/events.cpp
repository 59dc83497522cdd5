// Callbacks for what is no message from outside: events, requests of our own before they leave, and the transaction's other messages, which
// a script may read.
#include "proxy/core.hpp"
#include "sip/uri.hpp"

namespace perdure::proxy {

// The script gets a message as Kamailio's event routes have one: an OPTIONS that is never sent.
bool Proxy::Impl::run_event(const ScriptEvent& event, Time now, Outputs& outputs) {
  ++counters_.events;
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  RoutingContext& context = frame.context;
  const auto& socket = options_.sockets.front();
  const std::string host = socket.advertised_host + ":" + std::to_string(socket.advertised_port);
  const std::string uri = sip::Uri::parse(event.uri) ? event.uri : "sip:event@" + host;
  const std::string text = "OPTIONS " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + host +
                           ";branch=z9hG4bKevent\r\nMax-Forwards: 70\r\nFrom: <sip:event@" + host + ">;tag=event\r\nTo: <" + uri +
                           ">\r\nCall-ID: event@" + host + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
  if (!frame.message.parse(text)) return false;
  frame.received = {text, socket.address, 0, 0};
  context.received = &frame.received;
  context.message = &frame.message;
  context.edits = &frame.edits;
  context.now = now;
  context.kind = RouteKind::Event;
  context.event = event.name;
  if (!event.uri.empty()) context.target.destination_uri = event.uri;
  context.on_event_end = event.on_end;
  const bool ran = runner_.run(context, RouteKind::Event, event.route);
  if (context.wait) {
    keep_waiting(frame);
    return true;
  }
  finish_event(context, ran);
  return ran;
}

void Proxy::Impl::finish_event(RoutingContext& context, bool ran) {
  if (!ran) ++counters_.script_errors;
  if (context.on_event_end) context.on_event_end();
}

bool Proxy::Impl::run_local_request(std::string& request, Time now, Outputs& outputs) {
  if (options_.local_request_route.empty()) return true;
  FrameScope scope(*this, outputs);
  Frame& frame = scope.frame;
  RoutingContext& context = frame.context;
  if (!frame.message.parse(request)) return true;
  frame.received = {request, options_.sockets.front().address, 0, 0};
  context.received = &frame.received;
  context.message = &frame.message;
  context.edits = &frame.edits;
  context.now = now;
  context.kind = RouteKind::Local;
  context.event = "tm:local-request";
  if (!runner_.run(context, RouteKind::Local, options_.local_request_route)) ++counters_.script_errors;
  if (context.drop) return false;
  if (!context.target.uri.empty()) frame.edits.set_request_uri(context.target.uri);
  if (frame.edits.empty()) return true;
  frame.scratch.clear();
  frame.edits.serialize_append(frame.message, frame.scratch);
  request = frame.scratch;
  return true;
}

bool Proxy::Impl::with_message(RoutingContext& context, RoutingContext::Other which, const std::function<void(RoutingContext&)>& f) {
  FrameScope scope(*this, *context.outputs);
  Frame& frame = scope.frame;
  RoutingContext& other = frame.context;
  Work* work = context.work;
  if (which == RoutingContext::Other::Invite) {
    const auto key =
        context.message->method() == sip::Method::Cancel ? transaction::server_key(*context.message, options_.secret) : std::nullopt;
    const auto found = key ? index_.find(*key) : index_.end();
    if (found == index_.end() || !load(found->second, frame.work)) return false;
    work = &frame.work;
  }
  if (!work) return false;
  if (which == RoutingContext::Other::Reply) {
    if (context.message->is_response()) {
      f(context);
      return true;
    }
    if (context.branch < 0 || context.timed_out) return false;
    const auto& branch = work->branches[static_cast<std::size_t>(context.branch)];
    if (!branch.response || !frame.message.parse(read(*work, branch.response))) return false;
    frame.received = {frame.message.bytes(), branch.destination, socket_from(branch.socket_key), 0};
    other.kind = RouteKind::Reply;
  } else {
    if (!work->header.request || !frame.message.parse(read(*work, work->header.request))) return false;
    frame.received = {frame.message.bytes(), work->header.source, socket_from(work->header.socket_key), work->header.connection};
  }
  other.received = &frame.received;
  other.message = &frame.message;
  other.edits = &frame.edits;
  other.now = context.now;
  other.work = work;
  other.transaction = work->id;
  other.status = context.status;
  other.branch = context.branch;
  other.flags = work->header.flags;
  f(other);
  return true;
}

bool RoutingContext::with_message(Other which, const std::function<void(RoutingContext&)>& f) {
  return proxy.impl_->with_message(*this, which, f);
}

}  // namespace perdure::proxy
