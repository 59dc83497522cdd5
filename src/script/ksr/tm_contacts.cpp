// Serial forking as Kamailio has it: t_load_contacts puts the branches into the XAVP tm_contacts, t_next_contacts takes those of the
// highest q from it. As part of the transaction's variables they survive like these.
#include "script/ksr/tm_contacts.hpp"

#include <algorithm>

#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

constexpr std::string_view list = "tm_contacts";

// One more than the lowest of its q: the last of a class has the flag.
std::vector<std::pair<std::string, Value>> fields_of(const proxy::Target& contact, bool ends_class) {
  std::vector<std::pair<std::string, Value>> fields{{"uri", Value::of(std::string_view(contact.uri))}};
  if (!contact.destination_uri.empty()) fields.emplace_back("dst_uri", Value::of(std::string_view(contact.destination_uri)));
  fields.emplace_back("flags", Value::of(std::int64_t{contact.flags}));
  fields.emplace_back("q_flag", Value::of(std::int64_t{ends_class ? 4 : 0}));
  return fields;
}

std::string text_field(const Variables& variables, std::string_view field) {
  const Xavp* contact = variables.xavp(Tree::Xavp, list, 0);
  const Value* value = contact ? contact->field(field) : nullptr;
  return value && !value->is_number ? value->text : std::string();
}
std::int64_t number_field(const Variables& variables, std::string_view field) {
  const Xavp* contact = variables.xavp(Tree::Xavp, list, 0);
  const Value* value = contact ? contact->field(field) : nullptr;
  return value && value->is_number ? value->number : 0;
}

int load(Call& call, bool proportional) {
  auto& context = call.context();
  if (context.more_targets.empty()) return 1;  // nothing to choose from: the Request-URI stays
  std::vector<proxy::Target> contacts;
  contacts.push_back(context.target);
  contacts.back().uri = request_uri(call);
  contacts.insert(contacts.end(), context.more_targets.begin(), context.more_targets.end());
  // What is tried first comes first.
  if (proportional) {
    // Each place goes to one of those that are left, with a chance as its q; those of q 0 are the reserve.
    for (auto place = contacts.begin(); place != contacts.end(); ++place) {
      std::uint64_t total = 0;
      for (auto one = place; one != contacts.end(); ++one) total += one->q;
      if (total == 0) break;
      auto chosen = place;
      for (std::uint64_t left = call.vm.random().next() % total; left >= chosen->q; ++chosen) left -= chosen->q;
      std::rotate(place, chosen, chosen + 1);
    }
  } else {
    std::ranges::stable_sort(contacts, std::greater{}, &proxy::Target::q);
  }
  auto& variables = call.run.variables();
  call.run.changed();
  for (std::size_t i = contacts.size(); i-- > 0;) {  // the one added last is the first
    const bool ends_class = proportional || i + 1 == contacts.size() || contacts[i].q != contacts[i + 1].q;
    if (!variables.push_xavp({Tree::Xavp, std::string(list), std::nullopt, fields_of(contacts[i], ends_class)}))
      return call.fail("too many variables: a transaction keeps " + std::to_string(variables_max));
  }
  context.more_targets.clear();
  return 1;
}

}  // namespace

int load_contacts(Call& call) {
  return load(call, false);
}

int load_contacts_mode(Call& call) {
  const auto mode = call.number(0);
  return mode == 0 || mode == 1 ? load(call, mode == 1) : -1;
}

int next_contacts(Call& call) {
  auto& context = call.context();
  auto& variables = call.run.variables();
  if (!variables.xavp(Tree::Xavp, list, 0)) return -2;
  call.run.changed();
  bool first = true;
  for (bool last = false; !last && variables.xavp(Tree::Xavp, list, 0); first = false) {
    proxy::Target contact;
    contact.uri = text_field(variables, "uri");
    contact.destination_uri = text_field(variables, "dst_uri");
    contact.flags = static_cast<std::uint32_t>(number_field(variables, "flags"));
    last = number_field(variables, "q_flag") != 0;
    variables.remove_xavp(Tree::Xavp, list, 0);
    if (!sip::Uri::parse(contact.uri)) return -1;
    if (first)
      context.target = std::move(contact);
    else if (context.more_targets.size() + 1 < transaction::branches_max)
      context.more_targets.push_back(std::move(contact));
    else
      return -1;
  }
  return 1;
}

}  // namespace perdure::script
