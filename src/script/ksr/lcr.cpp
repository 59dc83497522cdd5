// KSR.lcr: gateways in the order of their cost. What a call has still to try stands in its AVPs, complete: neither a restart nor another
// list changes it.
#include <algorithm>
#include <ranges>

#include "base/text_file.hpp"
#include "lcr/router.hpp"
#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/uri.hpp"

namespace perdure::script {
namespace {

using lcr::Gateway;
using lcr::List;

// Index 0 of the first is the gateway that comes next.
constexpr std::string_view gateways_avp = "_lcr_gateways", user_avp = "_lcr_user", current_avp = "_lcr_gateway";
constexpr int transport_udp = 1;

std::string_view user_of(std::string_view uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? parsed->user : std::string_view{};
}

// False after call.fail().
bool put(Call& call, std::string_view avp, const Value& value) {
  if (avp.empty()) return true;
  auto& variables = call.run.variables();
  variables.remove_avps(avp);
  call.run.changed();
  if (variables.push_avp(avp, value)) return true;
  (void)call.fail("no room for the AVP " + std::string(avp));
  return false;
}

bool put_marks(Call& call, const Gateway& gateway) {
  const auto& tables = call.vm.routing();
  return put(call, tables.tag_avp, Value::of(std::string_view(gateway.tag))) &&
         put(call, tables.flags_avp, Value::of(static_cast<std::int64_t>(gateway.flags)));
}

// What next_gw needs, separated by bars; only the tag, which comes last, may contain one.
std::string encode(std::uint32_t instance, const Gateway& gateway) {
  std::string out = std::to_string(instance);
  for (const std::string_view part : {std::string_view(gateway.name), std::string_view(gateway.uri), std::string_view(gateway.host)})
    out.append("|").append(part);
  out.append("|").append(std::to_string(gateway.strip)).append("|").append(gateway.prefix);
  return out.append("|").append(std::to_string(gateway.flags)).append("|").append(gateway.tag);
}

struct Choice {
  std::uint32_t instance = 0;
  Gateway gateway;
};

std::optional<Choice> decode(std::string_view text) {
  std::string_view parts[8];
  for (std::size_t i = 0; i < 7; ++i) {
    const std::size_t bar = text.find('|');
    if (bar == std::string_view::npos) return std::nullopt;
    parts[i] = text.substr(0, bar);
    text.remove_prefix(bar + 1);
  }
  const auto instance = number_from<std::uint32_t>(parts[0]), strip = number_from<std::uint32_t>(parts[4]),
             flags = number_from<std::uint32_t>(parts[6]);
  if (!instance || !strip || !flags) return std::nullopt;
  Choice choice;
  choice.instance = *instance;
  choice.gateway.name = parts[1];
  choice.gateway.uri = parts[2];
  choice.gateway.host = parts[3];
  choice.gateway.strip = *strip;
  choice.gateway.prefix = parts[5];
  choice.gateway.flags = *flags;
  choice.gateway.tag = text;
  return choice;
}

std::optional<std::uint32_t> instance_of(Call& call, const List& list) {
  const std::int64_t number = call.number(0);
  if (number < 1 || number > lcr::instances_max || !list.has_instance(static_cast<std::uint32_t>(number))) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

int load(Call& call, std::string_view user, std::string_view caller) {
  auto& router = *call.vm.routing().lcr;
  const auto list = router.list();
  const auto instance = instance_of(call, *list);
  if (!instance) return -1;
  const auto order = router.order(*list, *instance, user, caller, request_uri(call), call.context().now, call.vm.random());
  auto& variables = call.run.variables();
  for (const auto avp : {gateways_avp, user_avp, current_avp}) variables.remove_avps(avp);
  call.run.changed();
  if (order.empty()) return 2;
  for (const std::uint16_t position : order | std::views::reverse)
    if (!variables.push_avp(gateways_avp, Value::of(std::string_view(encode(*instance, list->gateways()[position])))))
      return call.fail("no room for the gateways of the call");
  return 1;
}

// The user as it came, without the characters that the gateway does not want and with those that it does.
std::string user_for(const Gateway& gateway, std::string_view user) {
  return gateway.prefix + std::string(user.substr(std::min<std::size_t>(gateway.strip, user.size())));
}

int next(Call& call) {
  auto& variables = call.run.variables();
  const Value* first = variables.avp(gateways_avp, 0);
  if (!first) return -1;
  const auto choice = decode(first->text);
  variables.remove_avp(gateways_avp, 0);
  call.run.changed();
  if (!choice) return -1;
  const Value* kept = variables.avp(user_avp, 0);
  const std::string user(kept ? std::string_view(kept->text) : user_of(request_uri(call)));
  if (!kept && !put(call, user_avp, Value::of(std::string_view(user)))) return -1;

  const Gateway& gateway = choice->gateway;
  const auto uri = sip::Uri::parse(gateway.uri);
  if (!uri) return -1;
  std::string request(uri->scheme_name);
  request += ':';
  if (const std::string called = user_for(gateway, user); !called.empty()) request.append(called).append("@");
  // With a host of its own the gateway's address is where the request goes, and no more.
  if (gateway.host.empty()) {
    request += gateway.uri.substr(uri->scheme_name.size() + 1);
  } else {
    request += gateway.host;
  }
  if (!set_request_uri(call, request)) return -1;
  call.context().target.destination_uri.clear();
  if (!gateway.host.empty() && !set_destination_uri(call, gateway.uri)) return -1;
  return put(call, current_avp, Value::of(std::string_view(std::to_string(choice->instance) + "|" + gateway.name))) &&
                 put_marks(call, gateway)
             ? 1
             : -1;
}

// Calls `f` with instance and name of the gateway that next_gw chose last.
template <class F>
int with_current(Call& call, F&& f) {
  const Value* current = call.run.variables().avp(current_avp, 0);
  const std::size_t bar = current ? current->text.find('|') : std::string::npos;
  const auto instance =
      bar == std::string::npos ? std::nullopt : number_from<std::uint32_t>(std::string_view(current->text).substr(0, bar));
  return instance && f(*instance, std::string_view(current->text).substr(bar + 1)) ? 1 : -1;
}

int defunct(Call& call) {
  const std::int64_t seconds = call.number(0);
  if (seconds < 1 || seconds > UINT32_MAX) return -1;
  return with_current(call, [&](std::uint32_t instance, std::string_view name) {
    return call.vm.routing().lcr->put_out_of_work(instance, name, call.context().now + std::chrono::seconds(seconds));
  });
}

int inactivate(Call& call) {
  return with_current(call, [&](std::uint32_t instance, std::string_view name) {
    return call.vm.routing().lcr->count_failure(instance, name, call.context().now);
  });
}

// 1, or for any instance its number, if a gateway has that address.
int find(Call& call, const std::optional<SocketAddress>& address, bool any_instance) {
  if (!address) return -1;
  const auto list = call.vm.routing().lcr->list();
  const auto look = [&](std::uint32_t instance) -> int {
    const auto found = list->gateway_at(instance, *address);
    if (!found || !put_marks(call, list->gateways()[*found])) return -1;
    return any_instance ? static_cast<int>(instance) : 1;
  };
  if (!any_instance) {
    const auto instance = instance_of(call, *list);
    return instance ? look(*instance) : -1;
  }
  for (const std::uint32_t instance : list->instances())
    if (const int result = look(instance); result > 0) return result;
  return -1;
}

std::optional<SocketAddress> source(Call& call) {
  return call.context().received->source;
}

// Of arguments from `first` on: address, transport, with `has_port` a port. Transports: 0 any, 1 UDP.
std::optional<SocketAddress> given(Call& call, std::size_t first, bool has_port) {
  const std::int64_t transport = call.number(first + 1), port = has_port ? call.number(first + 2) : 0;
  if ((transport != 0 && transport != transport_udp) || port < 0 || port > UINT16_MAX) return std::nullopt;
  return SocketAddress::parse(call.text(first), static_cast<std::uint16_t>(port));
}

std::optional<SocketAddress> target(Call& call) {
  const auto uri = sip::Uri::parse(request_uri(call));
  return uri ? SocketAddress::parse(uri->host, uri->port) : std::nullopt;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view only_udp = "Transports other than 0, any, and 1, UDP, match no gateway.";
constexpr std::string_view list_differs = "Gateways and rules are those of `[lcr] list`.";

const Function table[] = {
    {"lcr", "load_gws", "int instance", integer, routes::answering,
     "Finds the gateways for the user of the Request-URI, in order of prefix, priority and weight, without those that are out of work: 1, "
     "or 2 if "
     "there is none, -1 if there is no such instance.",
     list_differs, [](Call& call) { return load(call, std::string(user_of(request_uri(call))), {}); }},
    {"lcr", "load_gws_ruser", "int instance, string user", integer, routes::answering, "The same for another user.", list_differs,
     [](Call& call) { return load(call, call.text(1), {}); }},
    {"lcr", "load_gws_furi", "int instance, string user, string caller", integer, routes::answering,
     "The same, with the caller's URI for rules that have `from`.", list_differs,
     [](Call& call) { return load(call, call.text(1), call.text(2)); }},
    {"lcr", "next_gw", "", integer, routes::answering,
     "Writes the Request-URI for the next gateway, or for one with a host of its own the destination URI, too; -1 if none is left. What is "
     "left is "
     "kept with the call, also over a restart.",
     "", next},
    {"lcr", "defunct_gw", "int seconds", integer, routes::answering,
     "The gateway that next_gw chose last gets no further calls for that time.", "It gets them again when the server restarts.", defunct},
    {"lcr", "inactivate_gw", "", integer, routes::answering,
     "A failure of that gateway: after `inactivate_threshold` of them it gets no further calls for `inactive_time`.",
     "It is not pinged: the time ends it. It gets calls again when the server restarts.", inactivate},
    {"lcr", "from_gw", "int instance", integer, routes::any,
     "The message comes from the address of a gateway, and from its port if its URI has one; -1 too if a gateway of the instance has a "
     "name "
     "instead of an address.",
     "", [](Call& call) { return find(call, source(call), false); }},
    {"lcr", "from_gw_addr", "int instance, string address, int transport", integer, routes::any, "The address is that of a gateway.",
     only_udp, [](Call& call) { return find(call, given(call, 1, false), false); }},
    {"lcr", "from_gw_addr_port", "int instance, string address, int transport, int port", integer, routes::any, "The same with the port.",
     only_udp, [](Call& call) { return find(call, given(call, 1, true), false); }},
    {"lcr", "from_any_gw", "", integer, routes::any, "The instance of which a gateway has the address of the sender, or -1.", "",
     [](Call& call) { return find(call, source(call), true); }},
    {"lcr", "from_any_gw_addr", "string address, int transport", integer, routes::any, "The same for another address.", only_udp,
     [](Call& call) { return find(call, given(call, 0, false), true); }},
    {"lcr", "from_any_gw_addr_port", "string address, int transport, int port", integer, routes::any, "The same with the port.", only_udp,
     [](Call& call) { return find(call, given(call, 0, true), true); }},
    {"lcr", "to_gw", "int instance", integer, routes::with_request, "The host of the Request-URI is the address of a gateway.", "",
     [](Call& call) { return find(call, target(call), false); }},
    {"lcr", "to_gw_addr", "int instance, string address, int transport", integer, routes::with_request, "The same for another address.",
     only_udp, [](Call& call) { return find(call, given(call, 1, false), false); }},
    {"lcr", "to_any_gw", "", integer, routes::with_request, "The instance of which a gateway has the address in the Request-URI, or -1.",
     "", [](Call& call) { return find(call, target(call), true); }},
    {"lcr", "to_any_gw_addr", "string address, int transport", integer, routes::with_request, "The same for another address.", only_udp,
     [](Call& call) { return find(call, given(call, 0, false), true); }},
};

}  // namespace

std::span<const Function> lcr_functions() {
  return table;
}

}  // namespace perdure::script
