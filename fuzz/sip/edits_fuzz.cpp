// A list of edits on a message, in any order; and a list read back from bytes that nobody vouches for.
#include <set>
#include <string>

#include "fuzz/input.hpp"
#include "fuzz/sip/message_checks.hpp"

namespace {

using namespace perdure;
using namespace perdure::sip;
using fuzz::expect;
using fuzz::expect_sound;

constexpr HeaderName places[] = {HeaderName::Via,         HeaderName::Route,       HeaderName::RecordRoute,
                                 HeaderName::MaxForwards, HeaderName::ContentType, HeaderName::Other};

const Value* pick_value(const Message& message, HeaderName header, std::size_t index, Value& out) {
  for (const Value& value : message.values(header)) {
    out = value;
    if (index-- == 0) break;
  }
  return out.field ? &out : nullptr;
}

// What the edits of one_edit() did, as far as it can be told without the code under test.
struct Done {
  bool request_uri = false, status = false, body = false;
  std::size_t body_size = 0;
  std::set<const HeaderField*> touched;

  void note(std::uint8_t what, std::size_t index, const HeaderField* field, const Value& value) {
    switch (what % 12) {
      case 0:
        request_uri = true;
        break;
      case 1:
        status = true;
        break;
      case 6:
      case 7:
        touched.insert(field);
        break;
      case 8:
      case 9:
      case 10:
        touched.insert(value.field);
        break;
      case 11:
        body = true;
        body_size = 10 - index % 10;
        break;
      default:
        break;
    }
  }
};

// Edits whose result must be a message again, since they exchange whole lines and values for well-formed ones. Returns false at the end.
bool one_edit(fuzz::Input& input, const Message& message, Edits& edits, Done& done) {
  if (input.empty()) return false;
  const std::uint8_t what = input.byte();
  const std::size_t index = input.byte();
  const HeaderName place = places[index % std::size(places)];
  const auto headers = message.headers();
  const HeaderField* field = headers.empty() ? nullptr : &headers[index % headers.size()];
  Value value;
  switch (what % 12) {
    case 0:
      edits.set_request_uri("sip:next@192.0.2.200");
      break;
    case 1:
      edits.set_status(480, "Elsewhere");
      break;
    case 2:
      edits.insert_before(place, "X-Before: 1\r\n");
      break;
    case 3:
      if (field) edits.insert_line_before(*field, "X-At: 1\r\nX-At: 2\r\n");
      break;
    case 4:
      edits.insert_at_top("X-Top: 1\r\n");
      break;
    case 5:
      edits.append("X-Last: 1\r\n");
      break;
    case 6:
      if (field) edits.remove(*field);
      break;
    case 7:
      if (field && field->name != HeaderName::ContentLength) edits.replace_value(*field, index % 3 ? "new" : "");
      break;
    case 8:
      if (pick_value(message, place, input.byte() % 8, value)) edits.remove_value(value);
      break;
    case 9:
      if (pick_value(message, place, input.byte() % 8, value)) edits.replace_range(value.begin, value.end, "<sip:new>");
      break;
    case 10:
      if (pick_value(message, place, input.byte() % 8, value)) edits.replace_range(value.end, value.end, ";x=y");
      break;
    default:
      edits.set_body(index % 2 ? "text/plain" : "", std::string_view("0123456789").substr(index % 10));
  }
  done.note(what, index, field, value);
  return true;
}

// What no edit touched stands there as before, in the same order; what they set is set.
void check_result(const Message& message, const Message& written, const Done& done) {
  if (message.is_request()) {
    expect(written.request_uri() == (done.request_uri ? "sip:next@192.0.2.200" : message.request_uri()), "another Request-URI");
    expect(written.method_name() == message.method_name(), "another method");
  } else {
    expect(written.status() == (done.status ? 480 : message.status()), "another status");
  }
  expect(done.body ? written.body().size() == done.body_size : written.body() == message.body(), "another body");
  std::size_t at = 0;
  const auto lines = written.headers();
  for (const HeaderField& field : message.headers()) {
    const bool of_body = field.name == HeaderName::ContentLength || field.name == HeaderName::ContentType;
    if (done.touched.contains(&field) || (done.body && of_body)) continue;
    while (at < lines.size() && written.line(lines[at]) != message.line(field)) ++at;
    expect(at++ < lines.size(), "a line that no edit touched is gone, or elsewhere");
  }
}

void edit_message(fuzz::Input& input) {
  const std::string_view script = input.take(input.byte() % 64);
  Message message;
  const bool parsed = message.parse(input.rest()).has_value();
  Edits edits;
  fuzz::Input operations(reinterpret_cast<const std::uint8_t*>(script.data()), script.size());
  Done done;
  while (one_edit(operations, message, edits, done)) {
  }
  std::string out;
  expect_sound(checks::writing(message, edits, out));
  if (!parsed || message.headers().size() + 2 * script.size() + 2 > headers_max) return;
  Message written;
  expect(written.parse(out).has_value(), "an edited message is malformed");
  expect(written.bytes() == out, "an edited message has bytes behind its body");
  expect_sound(checks::layout(written));
  check_result(message, written, done);
}

// Ranges anywhere at all: the bytes may be nonsense, but the sizes agree and nothing is written outside.
void edit_bytes(fuzz::Input& input) {
  const std::string_view script = input.take(input.byte());
  Message message;
  (void)message.parse(input.rest());
  Edits edits;
  fuzz::Input numbers(reinterpret_cast<const std::uint8_t*>(script.data()), script.size());
  while (!numbers.empty()) {
    const auto begin = static_cast<std::uint32_t>(numbers.below(message.bytes().size() + 1));
    const auto end = begin + static_cast<std::uint32_t>(numbers.below(message.bytes().size() - begin + 1));
    edits.replace_range(begin, end, std::string_view("0123456789").substr(numbers.byte() % 11));
  }
  std::string out;
  expect_sound(checks::writing(message, edits, out));
}

void edit_with_stored_list(fuzz::Input& input) {
  const std::string_view stored = input.take(input.below(4096));
  Message message;
  (void)message.parse(input.rest());
  Edits edits;
  if (!edits.decode(stored)) {
    expect(edits.empty(), "a refused list is not empty");
    return;
  }
  std::string out;
  edits.serialize_append(message, out);
  expect(edits.serialized_size(message) == out.size(), "serialized_size() is wrong for a stored list");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      edit_message(input);
      break;
    case 1:
      edit_bytes(input);
      break;
    default:
      edit_with_stored_list(input);
  }
  return 0;
}
