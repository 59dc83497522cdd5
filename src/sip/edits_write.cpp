// Edits applied to a message: every edit gets its place, the places are sorted, one walk over the bytes writes the result.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "sip/edits.hpp"

namespace perdure::sip {

struct Edits::Placed {
  // At one offset: what goes above the line there, then what goes below the line before, then the change of the line itself.
  enum class Group : std::uint8_t { Above, Below, Range };
  std::uint32_t begin = 0, end = 0;
  std::uint32_t rank = 0;
  Group group = Group::Range;
  bool inside = false;                   // an insertion into a line, which goes where the bytes around it go
  const Edit* value = nullptr;           // of a RemoveValue
  std::string_view before, text, after;  // written in place of the range

  friend bool operator<(const Placed& a, const Placed& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    if (a.group != b.group) return a.group < b.group;
    if (a.group != Group::Range) return a.rank < b.rank;
    if (a.end != b.end) return a.end > b.end;  // the wider one decides,
    return a.rank > b.rank;                    // then the later one
  }
};

class Edits::Placement {
 public:
  // Ranks above a line: what a script inserts has those from here on, in the order of its calls; what the proxy inserts before a header
  // of a name is above, the last one first.
  static constexpr std::uint32_t below_others = 0x80000000;

  Placement(const Edits& edits, const Message& message);
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;
  [[nodiscard]] std::span<const Placed> sorted() const { return {items_, count_}; }

  struct Counter {
    std::size_t size = 0;
    void operator()(std::string_view text) { size += text.size(); }
  };
  // Writes `bytes` from `cursor` to the end with the changes.
  template <class Sink>
  static void walk(std::span<const Placed> changes, std::string_view bytes, std::size_t cursor, Sink& sink);

 private:
  // Edits up to this number are placed without the heap; a message with more has been worked on by a very busy script.
  static constexpr std::size_t inline_max = 64;
  static constexpr std::size_t extra = 1;  // Content-Length

  Placed& add(Placed::Group group, std::size_t begin, std::size_t end, std::string_view text);
  void place(const Edits& edits, const Edit& edit, std::uint32_t index);
  static std::size_t resolve_removed_values(std::span<const Placed> changes, Placed& first);
  void place_content_type(const Edits& edits, const Edit& edit);
  void place_content_length(const Edits& edits);

  const Message& message_;
  // Not an array of Placed: most messages have a few edits, and to initialise all the places would cost more than the rest.
  alignas(Placed) std::byte inline_[inline_max * sizeof(Placed)];
  std::vector<Placed> heap_;
  Placed* items_ = reinterpret_cast<Placed*>(inline_);
  std::size_t count_ = 0;
  char number_[16], status_[16];
};

Edits::Placement::Placement(const Edits& edits, const Message& message) : message_(message) {
  if (edits.edits_.size() + extra > inline_max) {
    heap_.resize(edits.edits_.size() + extra);
    items_ = heap_.data();
  }
  for (std::size_t i = 0; i < edits.edits_.size(); ++i) place(edits, edits.edits_[i], static_cast<std::uint32_t>(i));
  place_content_length(edits);
  std::sort(items_, items_ + count_);
}

Edits::Placed& Edits::Placement::add(Placed::Group group, std::size_t begin, std::size_t end, std::string_view text) {
  const std::size_t size = message_.bytes().size();
  Placed& placed = *std::construct_at(items_ + count_);
  placed.group = group;
  placed.begin = static_cast<std::uint32_t>(std::min(begin, size));
  placed.end = static_cast<std::uint32_t>(std::clamp(end, std::min(begin, size), size));
  placed.text = text;
  placed.rank = static_cast<std::uint32_t>(count_++);
  return placed;
}

void Edits::Placement::place(const Edits& edits, const Edit& edit, std::uint32_t index) {
  using Group = Placed::Group;
  const std::string_view text = edits.text(edit);
  const std::string_view bytes = message_.bytes();
  switch (edit.kind) {
    case Kind::InsertAt:
      add(Group::Above, edit.begin, edit.begin, text).rank = below_others + index;
      break;
    case Kind::InsertBefore: {
      const HeaderField* field = edit.header == HeaderName::Other ? nullptr : message_.find(edit.header);
      const std::uint32_t offset = field ? field->begin : message_.headers_begin();
      add(Group::Above, offset, offset, text).rank = edit.header == HeaderName::Other ? below_others + index : below_others - 1 - index;
      break;
    }
    case Kind::Append:
      add(Group::Below, message_.headers_end(), message_.headers_end(), text);
      break;
    case Kind::Remove:
      add(Group::Range, edit.begin, edit.end, {});
      break;
    case Kind::RemoveValue:
      add(Group::Range, edit.begin, edit.end, {}).value = &edit;
      break;
    case Kind::Replace:
      add(edit.begin == edit.end ? Group::Below : Group::Range, edit.begin, edit.end, text).inside = edit.begin == edit.end;
      break;
    case Kind::RequestUri:
      if (message_.is_request()) {
        const auto begin = static_cast<std::size_t>(message_.request_uri().data() - bytes.data());
        add(Group::Range, begin, begin + message_.request_uri().size(), text);
      }
      break;
    case Kind::Status:
      if (message_.is_response()) {
        const auto end = std::to_chars(std::copy_n("SIP/2.0 ", 8, status_), status_ + sizeof status_ - 1, edit.status).ptr;
        *end = ' ';
        Placed& placed = add(Group::Range, 0, message_.headers_begin(), text);
        placed.before = {status_, static_cast<std::size_t>(end + 1 - status_)};
        placed.after = "\r\n";
      }
      break;
    case Kind::ContentType:
      place_content_type(edits, edit);
      break;
    case Kind::Body:
      add(Group::Range, bytes.size() - message_.body().size(), bytes.size(), text);
      break;
  }
}

// Values that are removed side by side go together, with the commas that would be left over; all of a line with the line. `first` becomes
// the range of the first of `changes` and of those after it that belong to it; their number is returned.
std::size_t Edits::Placement::resolve_removed_values(std::span<const Placed> changes, Placed& first) {
  std::size_t taken = 1;
  const Edit* last = first.value;
  while (taken < changes.size() && changes[taken].value && last->next_begin && changes[taken].begin == last->next_begin)
    last = changes[taken++].value;
  if (last->next_begin) {
    first.end = last->next_begin;
  } else if (first.value->previous_end) {
    first.begin = first.value->previous_end;
    first.end = last->end;
  } else {
    first.begin = first.value->line_begin;
    first.end = last->line_end;
  }
  return taken;
}

template <class Sink>
void Edits::Placement::walk(std::span<const Placed> changes, std::string_view bytes, std::size_t cursor, Sink& sink) {
  while (!changes.empty()) {
    Placed change = changes.front();
    const std::size_t taken = change.value ? resolve_removed_values(changes, change) : 1;
    changes = changes.subspan(taken);
    // Offsets are those of the message they were made for; a list read back for another one does no harm.
    change.begin = std::min(change.begin, static_cast<std::uint32_t>(bytes.size()));
    change.end = std::clamp(change.end, change.begin, static_cast<std::uint32_t>(bytes.size()));
    const bool covered = change.begin < cursor && change.end <= cursor;
    if (covered && (change.group == Placed::Group::Range || change.inside)) continue;
    if (change.begin > cursor) {
      sink(bytes.substr(cursor, change.begin - cursor));
      cursor = change.begin;
    }
    sink(change.before);
    sink(change.text);
    sink(change.after);
    cursor = std::max<std::size_t>(cursor, change.end);
  }
  if (cursor < bytes.size()) sink(bytes.substr(cursor));
}

// The last edit that takes out that line; null: it stays.
const Edits::Edit* Edits::removal_of(const HeaderField& field) const {
  const Edit* found = nullptr;
  for (const Edit& edit : edits_)
    if (is_removal(edit) && edit.begin >= field.begin && edit.end <= field.end) found = &edit;
  return found;
}

void Edits::Placement::place_content_type(const Edits& edits, const Edit& edit) {
  using Group = Placed::Group;
  const std::string_view text = edits.text(edit);
  const HeaderField* field = message_.find(HeaderName::ContentType);
  if (const Edit* removal = field ? edits.removal_of(*field) : nullptr) {
    if (removal > &edit) return;
    field = nullptr;
  }
  if (field && text.empty()) {
    add(Group::Range, field->begin, field->end, {});
  } else if (field) {
    add(Group::Range, field->value_begin, field->value_end, text);
  } else if (!text.empty()) {
    Placed& placed = add(Group::Below, message_.headers_end(), message_.headers_end(), text);
    placed.before = "Content-Type: ";
    placed.after = "\r\n";
  }
}

// A body that has another length than before needs another Content-Length (RFC 3261 20.14).
void Edits::Placement::place_content_length(const Edits& edits) {
  using Group = Placed::Group;
  const std::size_t body_begin = message_.bytes().size() - message_.body().size();
  if (count_ == 0 || message_.headers_end() == body_begin) return;
  std::sort(items_, items_ + count_);
  const Placed* first = std::find_if(items_, items_ + count_, [body_begin](const Placed& placed) { return placed.begin >= body_begin; });
  if (first == items_ + count_) return;
  Counter counter;
  walk({first, items_ + count_}, message_.bytes(), body_begin, counter);
  const auto end = std::to_chars(number_, number_ + sizeof number_, counter.size).ptr;
  const std::string_view text(number_, static_cast<std::size_t>(end - number_));
  const HeaderField* field = message_.find(HeaderName::ContentLength);
  if (field && !edits.removal_of(*field)) {
    add(Group::Range, field->value_begin, field->value_end, text);
  } else {
    Placed& placed = add(Group::Below, message_.headers_end(), message_.headers_end(), text);
    placed.before = "Content-Length: ";
    placed.after = "\r\n";
  }
}

template <class Sink>
void Edits::write(const Message& message, Sink& sink) const {
  if (edits_.empty()) return sink(message.bytes());
  const Placement placement(*this, message);
  Placement::walk(placement.sorted(), message.bytes(), 0, sink);
}

std::size_t Edits::serialized_size(const Message& message) const {
  Placement::Counter counter;
  write(message, counter);
  return counter.size;
}

std::size_t Edits::serialize(const Message& message, std::span<char> out) const {
  struct Buffer {
    std::span<char> out;
    std::size_t size = 0;
    bool fits = true;
    void operator()(std::string_view text) {
      fits = fits && text.size() <= out.size() - size;
      if (!fits || text.empty()) return;
      std::memcpy(out.data() + size, text.data(), text.size());
      size += text.size();
    }
  };
  Buffer buffer{out};
  write(message, buffer);
  return buffer.fits ? buffer.size : 0;
}

void Edits::serialize_append(const Message& message, std::string& out) const {
  const auto append = [&out](std::string_view text) { out += text; };
  write(message, append);
}

}  // namespace perdure::sip
