// The table of pseudo-variables.
#include <charconv>

#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/pseudo_variable.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

V text_or_null(std::string_view text) {
  return text.empty() ? V{} : V::of(text);
}

enum class Part { Whole, User, Host, Port, Transport, Scheme };

// As Kamailio: a port that is not given is 5060 or 5061, a transport that is not given "UDP"; both are texts.
V part_of(Call& call, std::string_view text, Part part) {
  if (text.empty()) return {};
  if (part == Part::Whole) return V::of(text);
  const auto uri = sip::Uri::parse(text);
  if (!uri) return {};
  switch (part) {
    case Part::Whole:
      break;
    case Part::User:
      return text_or_null(uri->user);
    case Part::Host:
      return text_or_null(uri->host);
    case Part::Port:
      call.vm.scratch = std::to_string(uri->port ? uri->port : uri->scheme == sip::Scheme::Sips ? 5061 : 5060);
      return V::of(call.vm.scratch);
    case Part::Transport:
      return V::of(uri->param("transport").value_or(uri->scheme == sip::Scheme::Sips ? "TLS" : "UDP"));
    case Part::Scheme:
      return V::of(uri->scheme_name);
  }
  return {};
}

template <Part part>
V ruri(Call& call, P) {
  return part_of(call, request_uri(call), part);
}
template <Part part>
V original_uri(Call& call, P) {
  return call.message().is_request() ? part_of(call, call.message().request_uri(), part) : V{};
}
template <Part part>
V destination(Call& call, P) {
  return part_of(call, call.context().target.destination_uri, part);
}
template <Part part>
V from(Call& call, P) {
  const auto* address = call.message().from();
  return address ? part_of(call, address->uri, part) : V{};
}
template <Part part>
V to(Call& call, P) {
  const auto* address = call.message().to();
  return address ? part_of(call, address->uri, part) : V{};
}

V first_header(Call& call, sip::HeaderName name) {
  const auto* field = call.message().find(name);
  return field ? V::of(call.message().value(*field)) : V{};
}

// ---- setters ----

bool text_of(Call& call, const Value* value, std::string& out) {
  if (!value) {
    (void)call.fail("cannot be unset");
    return false;
  }
  out = value->is_number ? std::to_string(value->number) : value->text;
  if (is_one_line(out)) return true;
  (void)call.fail("a line break cannot stand there");
  return false;
}

bool set_ruri(Call& call, P, const Value* value) {
  std::string text;
  return text_of(call, value, text) && set_request_uri(call, text);
}
template <UriPart part>
bool set_ruri_part(Call& call, P, const Value* value) {
  std::string text;
  if (!value && part != UriPart::Host) return set_request_uri_part(call, part, {});
  return text_of(call, value, text) && set_request_uri_part(call, part, text);
}
bool set_du(Call& call, P, const Value* value) {
  if (!value) {
    call.context().target.destination_uri.clear();
    return true;
  }
  std::string text;
  return text_of(call, value, text) && set_destination_uri(call, text);
}

V stored(const Value* value) {
  if (!value) return {};
  return value->is_number ? V::of(value->number) : V::of(std::string_view(value->text));
}

bool full(Call& call) {
  (void)call.fail("too many variables: a transaction keeps " + std::to_string(variables_max) + ", " + std::to_string(variables_bytes_max) +
                  " bytes in all");
  return false;
}

V get_avp(Call& call, P variable) {
  return stored(call.run.variables().avp(variable.argument, variable.index));
}
// $avp(a) = value adds one in front, $(avp(a)[*]) = value replaces all.
bool set_avp(Call& call, P variable, const Value* value) {
  auto& variables = call.run.variables();
  if (variable.all)
    variables.remove_avps(variable.argument);
  else if (!value || variable.has_index)
    variables.remove_avp(variable.argument, variable.index);
  call.run.changed();
  return !value || variables.push_avp(variable.argument, *value) || full(call);
}

V get_xavp(Call& call, P variable) {
  const auto& variables = call.run.variables();
  if (!variable.field.empty()) return stored(variables.xavp(variable.argument, variable.index, variable.field));
  return variables.has_xavp(variable.argument, variable.index) ? V::of("<<xavp>>") : V{};
}
bool set_xavp(Call& call, P variable, const Value* value) {
  auto& variables = call.run.variables();
  call.run.changed();
  if (!value) {
    if (!variable.field.empty())
      variables.remove_xavp_field(variable.argument, variable.index, variable.field);
    else if (variable.all)
      variables.remove_xavps(variable.argument);
    else
      variables.remove_xavp(variable.argument, variable.index);
    return true;
  }
  if (variable.field.empty()) {
    (void)call.fail("only a field of an XAVP can be set: $xavp(name=>field)");
    return false;
  }
  if (variable.index != 0 && !variables.has_xavp(variable.argument, variable.index)) {
    (void)call.fail("there is no XAVP with that index");
    return false;
  }
  return variables.set_xavp(variable.argument, variable.index, variable.field, *value) || full(call);
}

constexpr std::size_t script_variables_max = 1024;

V get_var(Call& call, P variable) {
  const auto found = call.vm.script_variables.find(variable.argument);
  return found == call.vm.script_variables.end() ? V::of(std::int64_t{0}) : stored(&found->second);
}
bool set_var(Call& call, P variable, const Value* value) {
  auto& all = call.vm.script_variables;
  if (!value) {
    all.erase(variable.argument);
    return true;
  }
  if (all.size() >= script_variables_max && !all.contains(variable.argument)) {
    (void)call.fail("more than " + std::to_string(script_variables_max) + " script variables");
    return false;
  }
  all.insert_or_assign(variable.argument, *value);
  return true;
}

V get_header(Call& call, P variable) {
  const auto* field = header_at(call.message(), variable.argument, variable.index);
  return field ? V::of(call.message().value(*field)) : V{};
}

const proxy::LocalSocket& socket(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket];
}

const VariableClass table[] = {
    // ---- Request-URI, destination ----
    {"ru", false, "Request-URI, as the script has changed it", ruri<Part::Whole>, set_ruri},
    {"rU", false, "user of the Request-URI", ruri<Part::User>, set_ruri_part<UriPart::User>},
    {"rd", false, "host of the Request-URI", ruri<Part::Host>, set_ruri_part<UriPart::Host>},
    {"rp", false, "port of the Request-URI as text, 5060 if it has none", ruri<Part::Port>, set_ruri_part<UriPart::Port>},
    {"rP", false, "transport parameter of the Request-URI, `UDP` if it has none", ruri<Part::Transport>, nullptr},
    {"rz", false, "scheme of the Request-URI", ruri<Part::Scheme>, nullptr},
    {"ou", false, "Request-URI as received", original_uri<Part::Whole>, nullptr},
    {"oU", false, "user of the Request-URI as received", original_uri<Part::User>, nullptr},
    {"od", false, "host of the Request-URI as received", original_uri<Part::Host>, nullptr},
    {"op", false, "port of the Request-URI as received, as text", original_uri<Part::Port>, nullptr},
    {"du", false, "destination URI: where the request goes instead of to its Request-URI", destination<Part::Whole>, set_du},
    {"dd", false, "host of the destination URI", destination<Part::Host>, nullptr},
    {"dp", false, "port of the destination URI as text, 5060 if it has none", destination<Part::Port>, nullptr},
    {"dP", false, "transport of the destination URI", destination<Part::Transport>, nullptr},
    // ---- From, To ----
    {"fu", false, "From URI", from<Part::Whole>, nullptr},
    {"fU", false, "user of the From URI", from<Part::User>, nullptr},
    {"fd", false, "host of the From URI", from<Part::Host>, nullptr},
    {"fn", false, "display name of From as written",
     [](Call& c, P) { return c.message().from() ? text_or_null(c.message().from()->display) : V{}; }, nullptr},
    {"ft", false, "From tag", [](Call& c, P) { return c.message().from() ? text_or_null(c.message().from()->tag) : V{}; }, nullptr},
    {"tu", false, "To URI", to<Part::Whole>, nullptr},
    {"tU", false, "user of the To URI", to<Part::User>, nullptr},
    {"td", false, "host of the To URI", to<Part::Host>, nullptr},
    {"tn", false, "display name of To as written",
     [](Call& c, P) { return c.message().to() ? text_or_null(c.message().to()->display) : V{}; }, nullptr},
    {"tt", false, "To tag", [](Call& c, P) { return c.message().to() ? text_or_null(c.message().to()->tag) : V{}; }, nullptr},
    // ---- the message ----
    {"ci", false, "Call-ID", [](Call& c, P) { return text_or_null(c.message().call_id()); }, nullptr},
    {"cs", false, "number of CSeq as text",
     [](Call& c, P) {
       const auto* cseq = c.message().cseq();
       if (!cseq) return V{};
       c.vm.scratch = std::to_string(cseq->number);
       return V::of(c.vm.scratch);
     },
     nullptr},
    {"rm", false, "method; in a reply that of CSeq",
     [](Call& c, P) {
       if (c.message().is_request()) return V::of(c.message().method_name());
       return c.message().cseq() ? V::of(c.message().cseq()->method_name) : V{};
     },
     nullptr},
    {"rs", false, "status code of the reply, a number",
     [](Call& c, P) { return c.message().is_response() ? V::of(std::int64_t{c.message().status()}) : V{}; }, nullptr},
    {"rr", false, "reason phrase of the reply", [](Call& c, P) { return c.message().is_response() ? V::of(c.message().reason()) : V{}; },
     nullptr},
    {"rv", false, "SIP version of the first line", [](Call& c, P) { return V::of(c.message().version()); }, nullptr},
    {"mt", false, "1 for a request, 2 for a reply", [](Call& c, P) { return V::of(std::int64_t{c.message().is_request() ? 1 : 2}); },
     nullptr},
    {"mb", false, "the message as received", [](Call& c, P) { return V::of(c.message().bytes()); }, nullptr},
    {"ml", false, "length of the message in bytes", [](Call& c, P) { return V::of(static_cast<std::int64_t>(c.message().bytes().size())); },
     nullptr},
    {"rb", false, "body", [](Call& c, P) { return text_or_null(c.message().body()); }, nullptr},
    {"bs", false, "length of the body in bytes", [](Call& c, P) { return V::of(static_cast<std::int64_t>(c.message().body().size())); },
     nullptr},
    {"ua", false, "User-Agent", [](Call& c, P) { return first_header(c, sip::HeaderName::UserAgent); }, nullptr},
    {"ct", false, "first Contact header", [](Call& c, P) { return first_header(c, sip::HeaderName::Contact); }, nullptr},
    {"cT", false, "Content-Type", [](Call& c, P) { return first_header(c, sip::HeaderName::ContentType); }, nullptr},
    {"hdr", true, "`$hdr(name)`: the first header of that name as received; `$(hdr(name)[n])` the n-th, negative from the last", get_header,
     nullptr},
    {"hdrc", true, "`$hdrc(name)`: how many headers of that name there are",
     [](Call& c, P p) { return V::of(static_cast<std::int64_t>(header_count(c.message(), p.argument))); }, nullptr},
    // ---- network ----
    {"si", false, "source address",
     [](Call& c, P) {
       c.vm.scratch = c.context().received->source.ip_text();
       return V::of(c.vm.scratch);
     },
     nullptr},
    {"sp", false, "source port, a number", [](Call& c, P) { return V::of(std::int64_t{c.context().received->source.port}); }, nullptr},
    {"Ri", false, "address that the message was received on",
     [](Call& c, P) {
       c.vm.scratch = socket(c).address.ip_text();
       return V::of(c.vm.scratch);
     },
     nullptr},
    {"Rp", false, "port that the message was received on, a number", [](Call& c, P) { return V::of(std::int64_t{socket(c).address.port}); },
     nullptr},
    {"pr", false, "transport that the message was received by: `udp`", [](Call& c, P) { return V::of(name(socket(c).transport)); },
     nullptr},
    {"proto", false, "the same as `$pr`", [](Call& c, P) { return V::of(name(socket(c).transport)); }, nullptr},
    // ---- the transaction ----
    {"T_branch_idx", false, "index of the branch in branch, reply and failure routes; else null",
     [](Call& c, P) { return c.context().branch >= 0 ? V::of(std::int64_t{c.context().branch}) : V{}; }, nullptr},
    {"T_reply_code", false, "status code of the reply, in a failure route of the one that won; 0 if there is none",
     [](Call& c, P) { return V::of(std::int64_t{c.context().status}); }, nullptr},
    {"mf", false, "message flags as a number", [](Call& c, P) { return V::of(std::int64_t{c.context().flags}); }, nullptr},
    {"bf", false, "branch flags as a number", [](Call& c, P) { return V::of(std::int64_t{c.context().target.flags}); }, nullptr},
    {"avp", true, "`$avp(name)`: variable of the transaction, survives restarts; setting adds a value in front of the others", get_avp,
     set_avp},
    {"xavp", true, "`$xavp(name=>field)`, `$xavp(name[1]=>field)`: structured variable of the transaction, survives restarts", get_xavp,
     set_xavp},
    {"var", true, "`$var(name)`: variable of this worker, 0 until it is set, kept from message to message until a reload", get_var,
     set_var},
    {"null", false, "null", [](Call&, P) { return V{}; }, nullptr},
};

}  // namespace

std::span<const VariableClass> variable_classes() {
  return table;
}

}  // namespace perdure::script
