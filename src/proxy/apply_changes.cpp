// What a script has changed so far becomes the message itself: later reads see it (textopsx.msg_apply_changes).
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "proxy/core.hpp"

namespace perdure::proxy {
namespace {

bool is_same_message(const sip::Message& a, const sip::Message& b) {
  const auto *via_a = a.top_via(), *via_b = b.top_via();
  const auto *cseq_a = a.cseq(), *cseq_b = b.cseq();
  // As in change_status of textopsx: failures are one class.
  const auto status_class = [](const sip::Message& one) { return std::min(one.status() / 100, 3); };
  return a.is_request() == b.is_request() && status_class(a) == status_class(b) && a.call_id() == b.call_id() && via_a && via_b &&
         via_a->text == via_b->text && cseq_a && cseq_b && cseq_a->number == cseq_b->number && cseq_a->method_name == cseq_b->method_name;
}

}  // namespace

// Request and reply routes, and no transaction whose stored request would have to follow.
bool RoutingContext::can_replace_message() const {
  if (!frame || message != &frame->message) return false;
  return kind == RouteKind::Reply || (kind == RouteKind::Request && !work);
}

int RoutingContext::apply_changes() {
  if (!can_replace_message()) return -1;
  sip::Edits changed = *edits;
  if (kind == RouteKind::Request && !target.uri.empty()) changed.set_request_uri(target.uri);
  if (changed.empty()) return 1;
  std::string text;
  changed.serialize_append(*message, text);
  return replace_message(std::move(text));
}

int RoutingContext::replace_message(std::string text) {
  if (!can_replace_message() || text.size() > applied_size_bytes_max) return -1;
  auto next = std::make_unique<sip::Message>();
  if (!next->parse(text) || !next->check() || !is_same_message(*message, *next)) return -1;
  frame->applied.swap(text);  // `text` holds what the message was parsed over, until it is parsed anew
  const auto parsed = frame->message.parse(frame->applied);
  PERDURE_ASSERT(parsed.has_value());
  frame->received.bytes = frame->message.bytes();
  edits->clear();
  if (kind == RouteKind::Request) target.uri.clear();
  if (kind == RouteKind::Reply) status = message->status();
  routes_removed = 0;
  return 1;
}

}  // namespace perdure::proxy
