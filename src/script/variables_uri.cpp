// Variables of the Request-URI, the destination and From and To.
#include "proxy/proxy.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "transaction/record.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;

V text_or_null(std::string_view text) {
  return text.empty() ? V{} : V::of(text);
}

enum class Part { Whole, User, UserLength, Host, Port, Transport, Scheme };

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
    case Part::UserLength:
      return V::of(static_cast<std::int64_t>(uri->user.size()));
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

// $nh(…): where the request goes without a Route, the destination URI or else the Request-URI.
V next_hop(Call& call, P variable) {
  static constexpr Part parts[] = {Part::Whole, Part::User, Part::Host, Part::Port, Part::Transport};
  const std::string_view destination_uri = call.context().target.destination_uri;
  return part_of(call, destination_uri.empty() ? request_uri(call) : destination_uri, parts[variable.keyword]);
}

// ---- branches ----

proxy::Target* branch_at(Call& call, const VariableIndex& index) {
  auto& targets = call.context().more_targets;
  const auto size = static_cast<int>(targets.size());
  const int at = index.number < 0 ? size + index.number : index.number;
  return at >= 0 && at < size ? &targets[static_cast<std::size_t>(at)] : nullptr;
}

enum class BranchField { Uri, Destination, Flags, Q, Count };

V target_field(Call& call, const proxy::Target* target, int field) {
  if (static_cast<BranchField>(field) == BranchField::Count) return V::of(static_cast<std::int64_t>(call.context().more_targets.size()));
  if (!target) return {};
  switch (static_cast<BranchField>(field)) {
    case BranchField::Uri:
      return text_or_null(target->uri);
    case BranchField::Destination:
      return text_or_null(target->destination_uri);
    case BranchField::Flags:
      return V::of(std::int64_t{target->flags});
    case BranchField::Q:
      return V::of(std::int64_t{target->q});
    case BranchField::Count:
      break;
  }
  return {};
}

bool set_target_field(Call& call, proxy::Target* target, int field, const Value* value) {
  std::string text;
  const auto which = static_cast<BranchField>(field);
  if (!target || which == BranchField::Count) {
    (void)call.fail(target ? "cannot be set" : "there is no branch with that index");
    return false;
  }
  if (which == BranchField::Flags || which == BranchField::Q) {
    if (!value || !value->is_number || value->number < 0 || value->number > (which == BranchField::Q ? 1000 : 0xFFFFFFFFLL)) {
      (void)call.fail("takes a number");
      return false;
    }
    if (which == BranchField::Q)
      target->q = static_cast<std::uint16_t>(value->number);
    else
      target->flags = static_cast<std::uint32_t>(value->number);
    return true;
  }
  if (!value && which == BranchField::Destination) {
    target->destination_uri.clear();
    return true;
  }
  if (!text_of(call, value, text)) return false;
  if (!sip::Uri::parse(text)) {
    (void)call.fail("\"" + text + "\" is no URI");
    return false;
  }
  (which == BranchField::Uri ? target->uri : target->destination_uri) = text;
  return true;
}

constexpr std::string_view branch_fields = "uri dst_uri flags q count";

V get_branch(Call& call, P variable) {
  return target_field(call, branch_at(call, variable.index), variable.keyword);
}
bool set_branch(Call& call, P variable, const Value* value) {
  return set_target_field(call, branch_at(call, variable.index), variable.keyword, value);
}
bool add_branch(Call& call, P, const Value* value) {
  std::string text;
  if (!text_of(call, value, text)) return false;
  auto& targets = call.context().more_targets;
  if (targets.size() + 1 >= transaction::branches_max || !sip::Uri::parse(text)) {
    (void)call.fail(sip::Uri::parse(text) ? "there are " + std::to_string(targets.size() + 1) + " branches already"
                                          : "\"" + text + "\" is no URI");
    return false;
  }
  targets.push_back(call.context().target);
  targets.back().uri = text;
  targets.back().destination_uri.clear();
  return true;
}

const VariableClass table[] = {
    {"ru", {}, "Request-URI, as the script has changed it", ruri<Part::Whole>, set_ruri},
    {"ruri", {}, "the same as `$ru`", ruri<Part::Whole>, set_ruri},
    {"rU", {}, "user of the Request-URI", ruri<Part::User>, set_ruri_part<UriPart::User>},
    {"rUl", {}, "length of the user of the Request-URI, a number", ruri<Part::UserLength>, nullptr},
    {"rd", {}, "host of the Request-URI", ruri<Part::Host>, set_ruri_part<UriPart::Host>},
    {"rp", {}, "port of the Request-URI as text, 5060 if it has none", ruri<Part::Port>, set_ruri_part<UriPart::Port>},
    {"rP", {}, "transport parameter of the Request-URI, `UDP` if it has none", ruri<Part::Transport>, nullptr},
    {"rz", {}, "scheme of the Request-URI", ruri<Part::Scheme>, nullptr},
    {"ou", {}, "Request-URI as received", original_uri<Part::Whole>, nullptr},
    {"oU", {}, "user of the Request-URI as received", original_uri<Part::User>, nullptr},
    {"od", {}, "host of the Request-URI as received", original_uri<Part::Host>, nullptr},
    {"op", {}, "port of the Request-URI as received, as text", original_uri<Part::Port>, nullptr},
    {"oP", {}, "transport of the Request-URI as received", original_uri<Part::Transport>, nullptr},
    {"du", {}, "destination URI: where the request goes instead of to its Request-URI", destination<Part::Whole>, set_du},
    {"duri", {}, "the same as `$du`", destination<Part::Whole>, set_du},
    {"dd", {}, "host of the destination URI", destination<Part::Host>, nullptr},
    {"dp", {}, "port of the destination URI as text, 5060 if it has none", destination<Part::Port>, nullptr},
    {"dP", {}, "transport of the destination URI", destination<Part::Transport>, nullptr},
    {"nh", VariableArgument::Keyword, "next hop, `$du` or else `$ru`: u the URI, U its user, d host, p port, P transport", next_hop,
     nullptr, false, "u U d p P"},
    {"br",
     {},
     "URI of the first branch that was added; setting adds one",
     [](Call& c, P) { return c.context().more_targets.empty() ? V{} : V::of(c.context().more_targets.front().uri); },
     add_branch},
    {"branch", VariableArgument::Keyword,
     "field of an added branch, `$(branch(uri)[1])`: uri, dst_uri, flags, q in thousandths, and their count", get_branch, set_branch, true,
     branch_fields},
    {"sbranch", VariableArgument::Keyword, "field of the branch that pvx.sbranch_append adds",
     [](Call& c, P p) { return target_field(c, &c.vm.static_branch, p.keyword); },
     [](Call& c, P p, const Value* value) { return set_target_field(c, &c.vm.static_branch, p.keyword, value); }, false, branch_fields},
    {"fu", {}, "From URI", from<Part::Whole>, nullptr},
    {"fU", {}, "user of the From URI", from<Part::User>, nullptr},
    {"fUl", {}, "length of the user of the From URI, a number", from<Part::UserLength>, nullptr},
    {"fd", {}, "host of the From URI", from<Part::Host>, nullptr},
    {"fn",
     {},
     "display name of From as written",
     [](Call& c, P) { return c.message().from() ? text_or_null(c.message().from()->display) : V{}; },
     nullptr},
    {"ft", {}, "From tag", [](Call& c, P) { return c.message().from() ? text_or_null(c.message().from()->tag) : V{}; }, nullptr},
    {"fti", {}, "the same as `$ft`", [](Call& c, P) { return c.message().from() ? text_or_null(c.message().from()->tag) : V{}; }, nullptr},
    {"tu", {}, "To URI", to<Part::Whole>, nullptr},
    {"tU", {}, "user of the To URI", to<Part::User>, nullptr},
    {"tUl", {}, "length of the user of the To URI, a number", to<Part::UserLength>, nullptr},
    {"td", {}, "host of the To URI", to<Part::Host>, nullptr},
    {"tn",
     {},
     "display name of To as written",
     [](Call& c, P) { return c.message().to() ? text_or_null(c.message().to()->display) : V{}; },
     nullptr},
    {"tt", {}, "To tag", [](Call& c, P) { return c.message().to() ? text_or_null(c.message().to()->tag) : V{}; }, nullptr},
    {"tti", {}, "the same as `$tt`", [](Call& c, P) { return c.message().to() ? text_or_null(c.message().to()->tag) : V{}; }, nullptr},
};

}  // namespace

std::span<const VariableClass> uri_variables() {
  return table;
}

}  // namespace perdure::script
