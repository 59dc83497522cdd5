// Any bytes as the answer of a name server: refused, or an answer within the bounds, whose names can stand in a message of ours.
#include <algorithm>

#include "fuzz/input.hpp"
#include "locate/dns_message.hpp"

namespace {

using namespace perdure;
using fuzz::expect;

void check_name(const std::string& name) {
  if (name.empty()) return;
  const auto canonical = locate::canonical_name(name);
  expect(canonical && *canonical == name, "a name that is none");
}

void check(const locate::Answer& answer) {
  const std::size_t count = answer.addresses.size() + answer.services.size() + answer.pointers.size();
  expect(count <= locate::records_max, "too many records");
  expect((answer.kind == locate::Answer::Kind::Records) == (count > 0), "an answer without records");
  expect(std::ranges::all_of(answer.addresses, [](const auto& one) { return one.is_unicast(); }), "an address that is no host");
  for (const auto& service : answer.services) check_name(service.target);
  for (const auto& pointer : answer.pointers) check_name(pointer.replacement);
  check_name(answer.alias);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using enum locate::RecordType;
  for (const auto type : {A, Aaaa, Srv, Naptr})
    if (const auto answer = locate::read_answer({data, size}, {type, "h.test"})) check(*answer);
  return 0;
}
