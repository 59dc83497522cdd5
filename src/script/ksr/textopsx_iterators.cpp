#include <optional>

#include "script/ksr/header_edits.hpp"
#include "script/ksr/textops_changes.hpp"
#include "script/ksr/textopsx_parts.hpp"
#include "script/vm.hpp"
#include "sip/lines.hpp"

namespace perdure::script {
namespace {

using Position = TextIterators::Position;

int start(Call& call, TextIterators& iterators) {
  return iterators.start(call.text(0)) ? 1 : -1;
}

// Null: there is no such iterator, or it stands nowhere.
const sip::HeaderField* current_header(Call& call) {
  const Position* position = call.run.header_iterators.find(call.text(0));
  const auto headers = call.message().headers();
  return position && position->index < headers.size() ? &headers[position->index] : nullptr;
}

struct BodyLine {
  std::uint32_t begin = 0, end = 0;  // with its line end, offsets in the message
};

// The line with that number; a last one without a line end counts.
std::optional<BodyLine> body_line(const sip::Message& message, std::size_t number) {
  const std::string_view bytes = message.bytes();
  for (std::size_t begin = bytes.size() - message.body().size(); begin < bytes.size(); --number) {
    const sip::Line line = sip::next_line(bytes, begin);
    const std::size_t end = line.end ? line.end : bytes.size();
    if (number == 0) return BodyLine{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    begin = end;
  }
  return std::nullopt;
}

std::optional<BodyLine> current_line(Call& call) {
  const Position* position = call.run.body_iterators.find(call.text(0));
  if (!position || position->index == Position::before_first) return std::nullopt;
  return body_line(call.message(), position->index);
}

}  // namespace

int header_iterator_start(Call& call) {
  return start(call, call.run.header_iterators);
}
int header_iterator_end(Call& call) {
  return call.run.header_iterators.end(call.text(0)) ? 1 : -1;
}

int header_iterator_move(Call& call, int step) {
  Position* position = call.run.header_iterators.find(call.text(0));
  if (!position) return -1;
  const std::size_t count = call.message().headers().size();
  // At either end it stays where it is.
  if (step > 0) {
    const std::size_t next = position->index == Position::before_first ? 0 : position->index + 1;
    if (next >= count) return -1;
    position->index = next;
  } else {
    if (position->index == Position::before_first || position->index == 0) return -1;
    --position->index;
  }
  return 1;
}

int header_iterator_remove(Call& call) {
  const auto* field = current_header(call);
  if (!field) return -1;
  if (is_needed(field->name)) return call.fail("a message cannot do without " + std::string(call.message().name(*field)));
  call.context().edits->remove(*field);
  return 1;
}

int header_iterator_write(Call& call, bool behind) {
  const auto* field = current_header(call);
  if (!field) return -1;
  const auto lines = header_lines(call, call.text(1));
  if (!lines) return -1;
  if (!behind)
    call.context().edits->insert_line_before(*field, *lines);
  else if (field == &call.message().headers().back())
    call.context().edits->append(*lines);
  else
    call.context().edits->insert_line_before(field[1], *lines);
  return 1;
}

int header_iterator_name(Call& call) {
  const auto* field = current_header(call);
  return field ? call.give(call.message().name(*field)) : 1;
}
int header_iterator_value(Call& call) {
  const auto* field = current_header(call);
  return field ? call.give(call.message().value(*field)) : 1;
}

int body_iterator_start(Call& call) {
  return start(call, call.run.body_iterators);
}
int body_iterator_end(Call& call) {
  return call.run.body_iterators.end(call.text(0)) ? 1 : -1;
}

int body_iterator_next(Call& call) {
  Position* position = call.run.body_iterators.find(call.text(0));
  if (!position) return -1;
  const std::size_t next = position->index == Position::before_first ? 0 : position->index + 1;
  if (!body_line(call.message(), next)) return -1;
  position->index = next;
  return 1;
}

int body_iterator_remove(Call& call) {
  const auto line = current_line(call);
  if (!line) return -1;
  call.context().edits->replace_range(line->begin, line->end, {});
  return 1;
}

int body_iterator_write(Call& call, bool behind) {
  const auto line = current_line(call);
  if (!line) return -1;
  const std::uint32_t at = behind ? line->end : line->begin;
  call.context().edits->replace_range(at, at, call.text(1));
  return 1;
}

int body_iterator_value(Call& call) {
  const auto line = current_line(call);
  return line ? call.give(call.message().bytes().substr(line->begin, line->end - line->begin)) : 1;
}

}  // namespace perdure::script
