// KSR.tsilo: a device that registers while the call rings gets a branch.
#include "proxy/work.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/name_addr.hpp"

namespace perdure::script {
namespace {

// As Kamailio without use_domain: the user of the URI.
std::string_view key_of(std::string_view uri) {
  const auto parsed = sip::Uri::parse(uri);
  return parsed ? parsed->user : std::string_view{};
}

int store(Call& call) {
  const auto key = key_of(call.text(0).empty() ? request_uri(call) : call.text(0));
  if (key.empty()) return -1;
  call.run.save();
  return call.context().store_in_silo(key);
}

std::uint16_t thousandths(std::string_view q) {
  if (q.empty() || q[0] == '1') return 1000;
  unsigned value = 0, unit = 100;
  for (std::size_t i = 2; i < q.size() && q[i] >= '0' && q[i] <= '9'; ++i, unit /= 10) value += static_cast<unsigned>(q[i] - '0') * unit;
  return static_cast<std::uint16_t>(std::min(value, 1000U));
}

// The contacts that the request in work brings; one that is taken back is none.
std::vector<proxy::Target> contacts_of(const sip::Message& message) {
  std::vector<proxy::Target> targets;
  const auto* expires = message.find(sip::HeaderName::Expires);
  const std::string_view otherwise = expires ? message.value(*expires) : std::string_view{};
  for (const auto& value : message.values(sip::HeaderName::Contact)) {
    const auto address = sip::NameAddr::parse(value.text);
    if (!address || !sip::Uri::parse(address->uri) || address->param("expires").value_or(otherwise) == "0") continue;
    proxy::Target target;
    target.uri = address->uri;
    target.q = thousandths(address->param("q").value_or(""));
    targets.push_back(std::move(target));
  }
  return targets;
}

int append_all(Call& call, std::string_view uri, const std::vector<proxy::Target>& targets) {
  const auto key = key_of(uri);
  if (key.empty() || targets.empty()) return -1;
  return call.context().append_late(key, targets);
}

int append(Call& call) {
  return append_all(call, call.text(1), contacts_of(call.message()));
}

int append_contact(Call& call) {
  if (!sip::Uri::parse(call.text(2)) || !is_one_line(call.text(2))) return -1;
  proxy::Target target;
  target.uri = call.text(2);
  return append_all(call, call.text(1), {std::move(target)});
}

int append_to(Call& call) {
  constexpr std::int64_t most = UINT32_MAX;
  if (call.number(0) < 0 || call.number(0) > most || call.number(1) < 0 || call.number(1) > most) return -1;
  const auto targets = contacts_of(call.message());
  if (targets.empty()) return -4;
  return call.context().append_to(static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint32_t>(call.number(1)), targets);
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view from_request =
    "The contacts are those of the request in work, as a REGISTER has them; the table is not looked at.";
constexpr std::string_view by_user = "The user of the URI is the key; there is no parameter use_domain.";

const Function table[] = {
    {"tsilo", "ts_store", "", integer, routes::answering,
     "Takes late branches for the user of the Request-URI until the call is answered. Makes the transaction if there is none; without a "
     "branch it "
     "waits as after tmx.t_suspend. Kept over a restart.",
     by_user, store},
    {"tsilo", "ts_store_uri", "string uri", integer, routes::answering, "The same for the user of that URI.", by_user, store},
    {"tsilo", "ts_append", "string table, string uri", integer, routes::request,
     "Adds the contacts as branches to all calls that ts_store has kept for the user of that URI. -2: there is none.", from_request,
     append},
    {"tsilo", "ts_append_by_contact", "string table, string uri", integer, routes::request, "The same as ts_append.", from_request, append},
    {"tsilo", "ts_append_by_contact_uri", "string table, string uri, string contact", integer, routes::request,
     "The same with that contact.", "The contact need not be registered; the table is not looked at.", append_contact},
    {"tsilo", "ts_append_to", "int index, int label, string table", integer, routes::request,
     "Adds the contacts as branches to the transaction of `$T(id_index)` and `$T(id_label)`. How many have been added; -1: no such "
     "transaction, -2: "
     "cancelled, -3: answered, -4: nothing to add.",
     from_request, append_to},
    {"tsilo", "ts_append_to_uri", "int index, int label, string table, string uri", integer, routes::request, "The same as ts_append_to.",
     "The contacts are those of the request in work; table and URI are not looked at.", append_to},
};

}  // namespace

std::span<const Function> tsilo_functions() {
  return table;
}

}  // namespace perdure::script
