#include "script/ksr/contact_edits.hpp"

#include "base/case.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/uri.hpp"

namespace perdure::script {

int change_contacts(Call& call, const std::function<std::optional<std::string>(std::string_view uri)>& change) {
  int changed = 0;
  for (const auto& value : call.message().values(sip::HeaderName::Contact)) {
    const auto contact = sip::NameAddr::parse(value.text);
    const auto uri = contact ? sip::Uri::parse(contact->uri) : std::nullopt;
    if (!uri || (uri->scheme != sip::Scheme::Sip && uri->scheme != sip::Scheme::Sips)) continue;
    auto text = change(contact->uri);
    if (!text) continue;
    // Without brackets what follows a semicolon are parameters of the header.
    if (!contact->bracketed && text->find_first_of(";?,") != std::string::npos) *text = "<" + *text + ">";
    const auto begin = value.begin + static_cast<std::uint32_t>(contact->uri.data() - value.text.data());
    call.context().edits->replace_range(begin, begin + static_cast<std::uint32_t>(contact->uri.size()), *text);
    ++changed;
  }
  return changed;
}

std::string with_parameter(std::string_view uri, std::string_view parameter) {
  std::string out(uri);
  const auto parsed = sip::Uri::parse(uri);
  out.insert(parsed && parsed->has_headers ? static_cast<std::size_t>(parsed->headers.data() - uri.data()) - 1 : out.size(), parameter);
  return out;
}

std::string without_parameter(std::string_view uri, std::string_view name) {
  const auto parsed = sip::Uri::parse(uri);
  if (!parsed || parsed->params.empty()) return std::string(uri);
  const auto begin = static_cast<std::size_t>(parsed->params.data() - uri.data());
  std::string out(uri.substr(0, begin));
  sip::ParamReader reader(parsed->params);
  while (const auto param = reader.next())
    if (!equals_ignore_case(param->name, name)) out.append(";").append(param->text);
  return out.append(uri.substr(begin + parsed->params.size()));
}

std::string_view first_contact(const sip::Message& message) {
  for (const auto& value : message.values(sip::HeaderName::Contact)) {
    const auto contact = sip::NameAddr::parse(value.text);
    return contact && sip::Uri::parse(contact->uri) ? contact->uri : std::string_view{};
  }
  return {};
}

}  // namespace perdure::script
