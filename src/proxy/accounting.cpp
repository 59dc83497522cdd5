// A line for each transaction that the script wants to be accounted, made when its final response is committed: the record says that it is
// made and, until it is known to be written, keeps it. So a death loses none, and may double the last ones.
#include <charconv>
#include <string>

#include "proxy/context_codec.hpp"
#include "proxy/core.hpp"

namespace perdure::proxy {

namespace {

bool is_set(std::uint32_t flags, const std::optional<std::uint32_t>& flag) {
  return flag && (flags >> *flag & 1U) != 0;
}

// What comes from outside stays on its line.
void append_field(std::string& line, std::string_view name, std::string_view value) {
  line.append(line.empty() ? "" : ";").append(name).append("=");
  for (const char c : value) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
}

}  // namespace

bool Proxy::Impl::account_is_due(const Work& work) const {
  const auto& header = work.header;
  if (header.status < 200 || (header.switches & (transaction::accounted | transaction::local))) return false;
  const auto& accounting = options_.accounting;
  if (header.status < 300) return is_set(header.flags, accounting.log_flag);
  if (header.method == sip::Method::Invite && is_set(header.flags, accounting.missed_flag)) return true;
  return is_set(header.flags, accounting.log_flag) && is_set(header.flags, accounting.failed_flag);
}

void Proxy::Impl::append_account_fields(const sip::Message& request, std::uint16_t code, std::string_view reason, std::string_view to_tag,
                                        std::string& line) const {
  append_field(line, "method", request.method_name());
  append_field(line, "from_tag", request.from() ? request.from()->tag : std::string_view{});
  append_field(line, "to_tag", to_tag);
  append_field(line, "call_id", request.call_id());
  append_field(line, "code", std::to_string(code));
  append_field(line, "reason", reason);
}

std::string Proxy::Impl::make_account_line(Work& work, Outputs& outputs) {
  auto& header = work.header;
  header.switches |= transaction::accounted;
  FrameScope scope(*this, outputs), reply(*this, outputs);
  RoutingContext& context = scope.frame.context;
  if (!begin_stored_request(scope.frame, work, header.created)) return {};  // revived from routes: what it was about is not known
  const sip::Message* response = work.answer;
  if (!response && header.response && reply.frame.message.parse(read(work, header.response))) response = &reply.frame.message;
  const auto* to = response ? response->to() : nullptr;
  std::string line;
  append_account_fields(scope.frame.message, header.status, response ? response->reason() : std::string_view{},
                        to ? to->tag : std::string_view{}, line);
  char id[24];
  auto end = std::to_chars(id, id + sizeof id, work.id.value, 16).ptr;
  *end++ = '.';
  end = std::to_chars(end, id + sizeof id, header.nonce, 16).ptr;
  append_field(line, "id", {id, end});
  runner_.complete_account_line(context, line);
  const bool missed = header.status >= 300 && header.method == sip::Method::Invite && is_set(header.flags, options_.accounting.missed_flag);
  line.insert(0, missed ? "ACC: call missed: " : "ACC: transaction answered: ");
  ++counters_.accounted;
  context.account_line = line;
  const auto before = header.context;
  context.variables_changed = false;
  save_context(context);
  if (header.context == before) return line;
  work.emit |= transaction::pending_account;
  return {};
}

void Proxy::Impl::emit_account_line(const Work& work, Outputs& outputs) {
  FrameScope scope(*this, outputs);
  RoutingContext& context = scope.frame.context;
  if (decode_context(read(work, work.header.context), context) && !context.account_line.empty())
    outputs.account(outputs.copy(context.account_line));
}

// At once: "404 Not Found", or any text.
int Proxy::Impl::account(RoutingContext& context, std::string_view comment) {
  std::uint16_t code = 0;
  const auto [end, error] = std::from_chars(comment.data(), comment.data() + comment.size(), code);
  if (error == std::errc{} && code >= 100 && code <= 699) {
    comment.remove_prefix(static_cast<std::size_t>(end - comment.data()));
    while (comment.starts_with(' ')) comment.remove_prefix(1);
  } else {
    code = 0;
  }
  const auto* to = context.message->to();
  std::string line;
  append_account_fields(*context.message, code, comment, to ? to->tag : std::string_view{}, line);
  runner_.complete_account_line(context, line);
  line.insert(0, "ACC: request accounted: ");
  ++counters_.accounted;
  context.outputs->account(context.outputs->copy(line));
  return 1;
}

int RoutingContext::account(std::string_view comment) {
  return proxy.impl_->account(*this, comment);
}

}  // namespace perdure::proxy
