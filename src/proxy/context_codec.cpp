#include "proxy/context_codec.hpp"

#include <cstring>

#include "base/byte_codec.hpp"

namespace perdure::proxy {
namespace {

// Lengths of texts.
using Length = std::uint32_t;
using Reader = ByteReader<Length>;

void put(std::string& out, std::string_view text) {
  put_text<Length>(out, text);
}

constexpr std::size_t timers_at = 4;  // version, flags, routes_removed, max_forwards_added
static_assert(sizeof(TimerSettings) == 24 && std::is_trivially_copyable_v<TimerSettings>);
}  // namespace

TimerSettings stored_timers(std::string_view bytes) {
  TimerSettings timers;
  if (bytes.size() >= timers_at + sizeof timers && bytes[0] >= 2) std::memcpy(&timers, bytes.data() + timers_at, sizeof timers);
  return timers;
}

void encode_context(const RoutingContext& context, std::string& out) {
  const bool plain = context.armed.branch.empty() && context.armed.reply.empty() && context.armed.failure.empty() &&
                     !context.record_route && !context.local_rport && context.routes_removed == 0 && context.max_forwards_added == 70 &&
                     context.request_uri_route.empty() && context.upstream_headers.empty() && context.variables.empty() &&
                     (!context.edits || context.edits->empty());
  // What older programs can read stays as they wrote it.
  const bool line = !context.account_line.empty();
  const bool more = line || context.timers != TimerSettings{} || !context.armed.branch_failure.empty() || !context.silo_key.empty();
  if (plain && !more) return;
  put_number<std::uint8_t>(out, line ? 3 : more ? 2 : 1);  // version
  put_number<std::uint8_t>(out, static_cast<std::uint8_t>((context.record_route ? 1 : 0) | (context.local_rport ? 2 : 0) |
                                                          (context.branch_failure_spent ? 4 : 0)));
  put_number<std::uint8_t>(out, context.routes_removed);
  put_number<std::uint8_t>(out, context.max_forwards_added);
  if (more) put_number(out, context.timers);
  put(out, context.armed.branch);
  put(out, context.armed.reply);
  put(out, context.armed.failure);
  put(out, context.record_route_params);
  put(out, context.request_uri_route);
  put(out, context.upstream_headers);
  put(out, context.variables);
  const std::size_t at = out.size();
  put_number<std::uint32_t>(out, 0);
  if (context.edits) context.edits->encode(out);
  const auto size = static_cast<std::uint32_t>(out.size() - at - sizeof(std::uint32_t));
  std::memcpy(out.data() + at, &size, sizeof size);
  if (!more) return;
  put(out, context.armed.branch_failure);
  put(out, context.silo_key);
  if (line) put(out, context.account_line);
}

bool decode_context(std::string_view bytes, RoutingContext& context) {
  if (bytes.empty()) return true;
  Reader reader(bytes);
  std::uint8_t version = 0, flags = 0;
  std::string_view edits;
  if (!reader.number(version) || version < 1 || version > 3 || !reader.number(flags) || !reader.number(context.routes_removed) ||
      !reader.number(context.max_forwards_added))
    return false;
  if (version >= 2 && !reader.number(context.timers)) return false;
  context.record_route = (flags & 1) != 0;
  context.local_rport = (flags & 2) != 0;
  context.branch_failure_spent = (flags & 4) != 0;
  if (!reader.text(context.armed.branch) || !reader.text(context.armed.reply) || !reader.text(context.armed.failure) ||
      !reader.text(context.record_route_params) || !reader.text(context.request_uri_route) || !reader.text(context.upstream_headers) ||
      !reader.text(context.variables) || !reader.text(edits))
    return false;
  if (version >= 2 && (!reader.text(context.armed.branch_failure) || !reader.text(context.silo_key))) return false;
  if (version == 3 && !reader.text(context.account_line)) return false;
  if (!reader.done()) return false;
  return !context.edits || edits.empty() || context.edits->decode(edits);
}

// Of q, which is 1000 at most: a socket follows the flags. Programs that know no sockets for targets read everything else as ever.
constexpr std::uint16_t has_socket = 0x8000;

void encode_targets(const std::vector<Target>& targets, std::string& out) {
  for (const Target& target : targets) {
    put_number(out, static_cast<std::uint16_t>(target.q | (target.socket_key ? has_socket : 0)));
    put_number(out, target.flags);
    if (target.socket_key) put_number(out, target.socket_key);
    put(out, target.uri);
    put(out, target.destination_uri);
  }
}

bool decode_targets(std::string_view bytes, std::vector<Target>& targets) {
  targets.clear();
  Reader reader(bytes);
  while (!reader.done()) {
    Target target;
    if (!reader.number(target.q) || !reader.number(target.flags)) return false;
    if ((target.q & has_socket) && !reader.number(target.socket_key)) return false;
    target.q = static_cast<std::uint16_t>(target.q & ~has_socket);
    if (!reader.text(target.uri) || !reader.text(target.destination_uri)) return false;
    targets.push_back(std::move(target));
  }
  return true;
}

}  // namespace perdure::proxy
