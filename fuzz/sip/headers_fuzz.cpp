// One header value or URI, by each of its parsers: what they accept stays what it is when it is written and read again.
#include <string>

#include "base/case.hpp"
#include "fuzz/input.hpp"
#include "fuzz/sip/message_checks.hpp"
#include "sip/chars.hpp"
#include "sip/params.hpp"

namespace {

using namespace perdure;
using namespace perdure::sip;
using fuzz::expect;

void try_via(std::string_view text) {
  const auto via = Via::parse(text);
  if (!via) return;
  for (const auto part : {via->protocol, via->transport, via->host, via->params, via->branch, via->received, via->rport, via->maddr})
    expect(checks::inside(part, text), "part of a Via outside of it");
  expect(!via->host.empty() && !via->transport.empty(), "a Via without a host or a transport");
  for (const char* ip : {"192.0.2.1", "2001:db8::1"}) {
    for (const bool force : {false, true}) {
      const auto source = SocketAddress::parse(ip, 40000);
      std::string written, twice;
      via_with_received(*via, *source, written, force);
      const auto again = Via::parse(written);
      expect(again.has_value(), "a Via with received= is malformed");
      expect(again->host == via->host && again->port == via->port && again->branch == via->branch, "received= changed the rest of a Via");
      if (force || via->has_rport) expect(again->rport == "40000", "rport is not filled in");
      if (via->has_rport) expect(again->received == ip, "rport is filled in without received");
      via_with_received(*again, *source, twice, force);
      // A forced rport comes without received where the host is the source; whoever reads it again takes it for one that was asked for.
      const bool same = Via::parse(twice)->received == again->received || (force && !via->has_rport);
      expect(same && Via::parse(twice)->rport == again->rport, "received= is not stable");
    }
  }
}

void try_address(std::string_view text) {
  const auto address = NameAddr::parse(text);
  if (!address) return;
  for (const auto part : {address->display, address->uri, address->params, address->tag})
    expect(checks::inside(part, text), "part of an address outside of it");
  expect(params_valid(address->params), "malformed parameters of an address");
  std::string plain = "<" + std::string(address->uri) + ">" + std::string(address->params);
  const auto again = NameAddr::parse(plain);
  expect(again && again->uri == address->uri && again->params == address->params && again->tag == address->tag,
         "an address is another in brackets");
  if (address->tag.empty()) {
    const std::string tagged = std::string(text) + ";tag=ours";
    // build_response adds a tag so.
    const auto with_tag = NameAddr::parse(tagged);
    expect(with_tag && with_tag->tag == "ours", "an added tag is not found");
  }
}

void try_uris(std::string_view first, std::string_view second) {
  const auto a = Uri::parse(first);
  if (!a) return;
  for (const auto part : {a->scheme_name, a->user, a->password, a->host, a->params, a->headers, a->opaque})
    expect(checks::inside(part, first), "part of a URI outside of it");
  expect(first.find_first_of("<>\" \t\r\n") == std::string_view::npos, "a URI that could break a header");
  ParamReader reader(a->params);
  while (const auto param = reader.next()) expect(a->has_param(param->name), "a parameter is not found by its name");
  char buffer[64];
  if (const auto user = unescape(a->user, buffer)) expect(user->size() <= a->user.size(), "unescaped is longer");
  if (const auto b = Uri::parse(second)) expect(equivalent(*a, *b) == equivalent(*b, *a), "comparison depends on the order");
}

void try_params(std::string_view text) {
  ParamReader reader(text);
  std::size_t count = 0;
  while (const auto param = reader.next()) {
    expect(!param->name.empty() && checks::inside(param->text, text) && checks::inside(param->value, text),
           "parameter outside of the list");
    expect(find_param(text, param->name).has_value(), "a parameter is not found by its name");
    expect(++count <= text.size(), "more parameters than bytes");
  }
  expect(params_valid(text) == !reader.malformed(), "params_valid() says otherwise");
}

void try_name(std::string_view text) {
  const HeaderName header = header_name_from(text);
  if (header != HeaderName::Other && text.size() > 1) expect(equals_ignore_case(name(header), text), "a name is taken for another");
  const Method method = method_from(text);
  if (method != Method::Other) expect(name(method) == text, "a method is taken for another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.byte() % 5) {
    case 0:
      try_via(input.rest());
      break;
    case 1:
      try_address(input.rest());
      break;
    case 2: {
      const std::string_view text = input.rest();
      const std::size_t space = text.find(' ');
      try_uris(text.substr(0, space), space == std::string_view::npos ? text : text.substr(space + 1));
      break;
    }
    case 3:
      try_params(input.rest());
      break;
    default:
      try_name(input.rest());
  }
  return 0;
}
