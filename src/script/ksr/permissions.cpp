// KSR.permissions: is an address in a list?
#include "permissions/address_list.hpp"
#include "proxy/proxy.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

// False after call.fail().
bool set_tag(Call& call, const std::string& tag) {
  const auto& name = call.vm.permissions().tag_avp;
  if (name.empty() || tag.empty()) return true;
  auto& variables = call.run.variables();
  variables.remove_avps(name);
  call.run.changed();
  if (variables.push_avp(name, Value::of(std::string_view(tag)))) return true;
  (void)call.fail("no room for the AVP of the tag");
  return false;
}

// The group of the entry that the address belongs to, -1: there is none. Sets the AVP for tags.
int find(Call& call, const SocketAddress& address, std::optional<std::int64_t> group) {
  if (group && (*group < 0 || *group > UINT32_MAX)) return -1;
  const auto& options = call.vm.permissions();
  const auto list = options.permissions->list();
  const auto* entry = list->find(address, group ? std::optional(static_cast<std::uint32_t>(*group)) : std::nullopt);
  if (!entry) return -1;
  if (!set_tag(call, entry->tag)) return -1;
  return static_cast<int>(std::min<std::uint32_t>(entry->group, INT32_MAX));
}

std::optional<SocketAddress> address_of(Call& call, std::size_t argument) {
  const auto port = call.number(argument + 1);
  if (port < 0 || port > UINT16_MAX) return std::nullopt;
  return SocketAddress::parse(call.text(argument), static_cast<std::uint16_t>(port));
}

int allow_source_address(Call& call) {
  const std::int64_t group = call.has(0) ? call.number(0) : 1;
  return find(call, call.context().received->source, group) >= 0 ? 1 : -1;
}
int allow_source_address_group(Call& call) {
  return find(call, call.context().received->source, std::nullopt);
}
int allow_address(Call& call) {
  const auto address = address_of(call, 1);
  return address && find(call, *address, call.number(0)) >= 0 ? 1 : -1;
}
int allow_address_group(Call& call) {
  const auto address = address_of(call, 0);
  return address ? find(call, *address, std::nullopt) : -1;
}

// ---- trusted sources ----

std::string variable(Call& call, std::string_view name) {
  std::string error;
  const auto* found = call.vm.pseudo_variable(name, error);
  std::string text;
  if (found) append_value(text, value_of(call, *found));
  return text;
}

int find_trusted(Call& call, const std::string& source, Transport transport, const std::string& from) {
  const auto list = call.vm.permissions().permissions->trusted();
  const auto* row = list->find(source, transport, from, variable(call, "$ou"));
  return row && set_tag(call, row->tag) ? 1 : -1;
}

int allow_trusted(Call& call) {
  // A message of another transport than its socket's does not come here.
  const auto transport = transport_from(variable(call, "$pr"));
  if (!transport) return -1;
  return find_trusted(call, call.context().received->source.ip_text(), *transport, variable(call, "$fu"));
}
int allow_trusted_furi(Call& call) {
  const auto source = SocketAddress::parse(call.text(0), 0);
  const auto transport = transport_from(call.text(1));
  return source && transport ? find_trusted(call, source->ip_text(), *transport, std::string(call.text(2))) : -1;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view first_match = "The longest prefix comes first.";
constexpr std::string_view no_names = "Numeric addresses only.";

const Function table[] = {
    {"permissions", "allow_source_address", "[int group]", integer, routes::any,
     "The source of the message is in the group of the address list, 1 without an argument; sets the AVP for tags.", no_names,
     allow_source_address},
    {"permissions", "allow_source_address_group", "", integer, routes::any, "The group that the source of the message is in, or -1.",
     first_match, allow_source_address_group},
    {"permissions", "allow_address", "int group, string address, int port", integer, routes::any,
     "The address is in the group of the address list; sets the AVP for tags.", no_names, allow_address},
    {"permissions", "allow_address_group", "string address, int port", integer, routes::any, "The group that the address is in, or -1.",
     first_match, allow_address_group},
    {"permissions", "allow_trusted", "", integer, routes::with_request,
     "Source and transport of the request are in the list of trusted sources, and the patterns there match its From URI and Request-URI; "
     "sets "
     "the AVP for tags.",
     "The list is that of `trusted_file` or `trusted_table`.", allow_trusted},
    {"permissions", "allow_trusted_furi", "string source, string transport, string from_uri", integer, routes::with_request,
     "The same for a source, transport and From URI of yours.", no_names, allow_trusted_furi},
};

}  // namespace

std::span<const Function> permissions_functions() {
  return table;
}

}  // namespace perdure::script
