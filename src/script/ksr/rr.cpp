// KSR.rr: Record-Route and Route (RFC 3261 16.4, 16.6 step 4).
#include "script/ksr/expressions.hpp"
#include "script/vm.hpp"
#include "sip/params.hpp"

namespace perdure::script {
namespace {

// ";name=value" that cannot break out of the URI it is put in.
bool are_parameters(std::string_view text) {
  return text.starts_with(';') && text.find_first_of("<>\"\r\n ,?") == std::string_view::npos && sip::params_valid(text);
}

int add_parameters(Call& call) {
  if (!are_parameters(call.text(0))) return call.fail("\"" + std::string(call.text(0)) + "\" are no URI parameters, as in \";name=value\"");
  call.context().record_route_params += call.text(0);
  return 1;
}

int record_route(Call& call) {
  call.context().record_route = true;
  return 1;
}

int record_route_params(Call& call) {
  if (!call.text(0).empty() && add_parameters(call) < 0) return -1;
  return record_route(call);
}

int check_route_param(Call& call) {
  const auto& params = call.context().route_params;
  if (params.empty()) return -1;
  return matches(call, params);
}

// The Route carries the From tag of the request that made the dialog: downstream is the direction of that request, and what is assumed
// without a tag.
int is_direction(Call& call) {
  const std::string_view direction = call.text(0);
  if (direction != "downstream" && direction != "upstream") return call.fail("the direction is downstream or upstream");
  const auto ftag = sip::find_param(call.context().route_params, "ftag");
  const auto* from = call.message().from();
  const bool downstream = !ftag || ftag->empty() || !from || from->tag.empty() || *ftag == from->tag;
  return downstream == (direction == "downstream") ? 1 : -1;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"rr", "record_route", "", integer, routes::relaying | routes::branch,
     "Later requests of the dialog come this way: the request gets a Record-Route when it is forwarded, two if it leaves by another "
     "socket.",
     "Calling it twice is no error.", record_route},
    {"rr", "record_route_params", "string params", integer, routes::relaying | routes::branch,
     "record_route with these parameters, `;name=value`.", "A text that is no parameters is a script error.", record_route_params},
    {"rr", "add_rr_param", "string params", integer, routes::relaying | routes::branch,
     "Adds parameters, `;name=value`, to our Record-Route.", "A text that is no parameters is a script error.", add_parameters},
    {"rr", "loose_route", "", integer, routes::request,
     "Takes off the Route values that are ours, and makes the next one the destination URI; 1: the request has a route to follow, -1: it "
     "has "
     "none.",
     "", [](Call& call) { return call.context().loose_route(); }},
    {"rr", "check_route_param", "string expression", integer, routes::any,
     "The parameters of the Route that loose_route took off match a regular expression.", "A bad expression is a script error.",
     check_route_param},
    {"rr", "is_direction", "string direction", integer, routes::any,
     "`downstream`: the request goes the way of the one that made the dialog; `upstream`: it comes back. After loose_route.",
     "Another word is a script error.", is_direction},
};

}  // namespace

std::span<const Function> rr_functions() {
  return table;
}

}  // namespace perdure::script
