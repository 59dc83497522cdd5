// The list of changes. How they are applied is in edits_write.cpp.
#include "sip/edits.hpp"

#include <cstring>
#include <type_traits>

namespace perdure::sip {
namespace {

// First byte of what encode() writes; another number for another layout of Edit.
constexpr char encoding_version = 1;

}  // namespace

void Edits::clear() {
  edits_.clear();
  texts_.clear();
}

bool Edits::empty() const {
  return edits_.empty();
}

Edits::Edit& Edits::add(Kind kind, std::string_view text) {
  Edit edit;
  edit.kind = kind;
  edit.text_begin = static_cast<std::uint32_t>(texts_.size());
  edit.text_size = static_cast<std::uint32_t>(text.size());
  texts_ += text;
  edits_.push_back(edit);
  return edits_.back();
}

void Edits::drop_kind(Kind kind) {
  std::erase_if(edits_, [kind](const Edit& edit) { return edit.kind == kind; });
}

// Whether `inner` is a part of what `outer` changes. An insertion beside a line or range is not, one at either end of a value is: it was
// meant for that value.
bool Edits::lies_in(const Edit& inner, const Edit& outer) {
  if (inner.begin < outer.begin || outer.end < inner.end) return false;
  const bool beside = inner.begin == inner.end && (inner.begin == outer.begin || inner.end == outer.end);
  return !beside || outer.kind == Kind::RemoveValue;
}

// What the new range covers is superseded, what a removal covers already stays away.
void Edits::add_range(const Edit& range, std::string_view text) {
  for (const Edit& old : edits_)
    if (is_removal(old) && lies_in(range, old) && (range.kind != Kind::Remove || old.kind == Kind::Remove)) return;
  std::erase_if(edits_, [&range](const Edit& old) { return is_range(old) && lies_in(old, range); });
  Edit& edit = add(range.kind, text);
  const Edit placed = edit;
  edit = range;
  edit.text_begin = placed.text_begin;
  edit.text_size = placed.text_size;
}

void Edits::set_request_uri(std::string_view uri) {
  drop_kind(Kind::RequestUri);
  add(Kind::RequestUri, uri);
}

void Edits::set_status(std::uint16_t code, std::string_view reason) {
  drop_kind(Kind::Status);
  add(Kind::Status, reason).status = code;
}

std::uint16_t Edits::status() const {
  for (const Edit& edit : edits_)
    if (edit.kind == Kind::Status) return edit.status;
  return 0;
}

void Edits::insert_before(HeaderName first_of, std::string_view lines) {
  add(Kind::InsertBefore, lines).header = first_of;
}

void Edits::insert_line_before(const HeaderField& field, std::string_view lines) {
  Edit& edit = add(Kind::InsertAt, lines);
  edit.begin = edit.end = field.begin;
}

// No header is called Other, so this goes where a header goes that is not there: on top.
void Edits::insert_at_top(std::string_view lines) {
  add(Kind::InsertBefore, lines);
}

void Edits::append(std::string_view lines) {
  add(Kind::Append, lines);
}

void Edits::remove(const HeaderField& field) {
  Edit range;
  range.kind = Kind::Remove;
  range.begin = field.begin;
  range.end = field.end;
  add_range(range, {});
}

void Edits::replace_value(const HeaderField& field, std::string_view text) {
  // An empty value is an empty range, which would otherwise count as one more insertion.
  std::erase_if(edits_, [&field](const Edit& old) {
    return old.kind == Kind::Replace && old.begin == field.value_begin && old.end == field.value_end;
  });
  replace_range(field.value_begin, field.value_end, text);
}

void Edits::remove_value(const Value& value) {
  Edit range;
  range.kind = Kind::RemoveValue;
  range.begin = value.begin;
  range.end = value.end;
  range.previous_end = value.previous_end;
  range.next_begin = value.next_begin;
  range.line_begin = value.field->begin;
  range.line_end = value.field->end;
  add_range(range, {});
}

void Edits::replace_range(std::uint32_t begin, std::uint32_t end, std::string_view text) {
  Edit range;
  range.kind = Kind::Replace;
  range.begin = begin;
  range.end = end;
  add_range(range, text);
}

void Edits::set_body(std::string_view content_type, std::string_view body) {
  drop_kind(Kind::ContentType);
  drop_kind(Kind::Body);
  add(Kind::ContentType, content_type);
  add(Kind::Body, body);
}

void Edits::encode(std::string& out) const {
  static_assert(std::has_unique_object_representations_v<Edit>, "no padding may get into a store");
  const auto count = static_cast<std::uint32_t>(edits_.size());
  out += encoding_version;
  out.append(reinterpret_cast<const char*>(&count), sizeof count);
  out.append(reinterpret_cast<const char*>(edits_.data()), count * sizeof(Edit));
  out += texts_;
}

bool Edits::decode(std::string_view bytes) {
  clear();
  std::uint32_t count = 0;
  constexpr std::size_t prefix = 1 + sizeof count;
  if (bytes.size() < prefix || bytes.front() != encoding_version) return false;
  std::memcpy(&count, bytes.data() + 1, sizeof count);
  if (count > (bytes.size() - prefix) / sizeof(Edit)) return false;
  edits_.resize(count);
  if (count) std::memcpy(edits_.data(), bytes.data() + prefix, count * sizeof(Edit));
  texts_.assign(bytes.substr(prefix + count * sizeof(Edit)));
  for (const Edit& edit : edits_) {
    const bool good = edit.kind <= Kind::Body && static_cast<std::size_t>(edit.header) < header_names && edit.text_begin <= texts_.size() &&
                      edit.text_size <= texts_.size() - edit.text_begin;
    if (good) continue;
    clear();
    return false;
  }
  return true;
}

}  // namespace perdure::sip
