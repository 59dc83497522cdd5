#pragma once
// Changes to one message, kept as a list and applied when it is written out: bytes that nobody touched travel verbatim.
// The list knows offsets, not the message, so it is used with that message (or a byte-identical copy) only.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sip/message.hpp"

namespace perdure::sip {

// Reusable and copyable; after a warm-up its buffers keep their capacity and nothing is allocated. Texts are copied in.
//
// Two edits of the same bytes: the later one wins, except that what lies in removed bytes stays removed. A "line" is one or more
// complete header lines, each with its CRLF; the caller vouches for their syntax.
class Edits {
 public:
  void clear();
  [[nodiscard]] bool empty() const;

  void set_request_uri(std::string_view uri);
  // The status line of a response.
  void set_status(std::uint16_t code, std::string_view reason);
  [[nodiscard]] std::uint16_t status() const;  // as set; 0: it is not

  // Above the first header of that name, or above all headers if there is none. What is inserted last comes out on top.
  void insert_before(HeaderName first_of, std::string_view lines);
  // Above that header or all headers, below what insert_before() puts there; what is inserted first comes out on top.
  void insert_line_before(const HeaderField& field, std::string_view lines);
  void insert_at_top(std::string_view lines);
  // Below all headers; what is appended last comes out last.
  void append(std::string_view lines);

  void remove(const HeaderField& field);
  void replace_value(const HeaderField& field, std::string_view text);
  // One value of a comma-separated header; with the last value of a line the line goes, too.
  void remove_value(const Value& value);
  // Offsets in Message::bytes(), begin <= end.
  void replace_range(std::uint32_t begin, std::uint32_t end, std::string_view text);

  // Content-Type and Content-Length follow, also where these had been removed; an empty `content_type` removes the Content-Type.
  void set_body(std::string_view content_type, std::string_view body);

  // The written size in bytes; exact.
  [[nodiscard]] std::size_t serialized_size(const Message& message) const;
  // The size written, 0 if `out` is too small.
  [[nodiscard]] std::size_t serialize(const Message& message, std::span<char> out) const;
  void serialize_append(const Message& message, std::string& out) const;

  // The list as bytes, appended to `out`, for a store that outlives the process.
  void encode(std::string& out) const;
  // Replaces the list; false, and an empty list, if `bytes` were not written by encode() of this version.
  [[nodiscard]] bool decode(std::string_view bytes);

 private:
  enum class Kind : std::uint8_t { InsertAt, InsertBefore, Append, Remove, RemoveValue, Replace, RequestUri, Status, ContentType, Body };
  struct Edit {
    Kind kind = Kind::Append;
    HeaderName header = HeaderName::Other;                                         // InsertBefore
    std::uint16_t status = 0;                                                      // Status
    std::uint32_t begin = 0, end = 0;                                              // InsertAt, Remove, RemoveValue, Replace
    std::uint32_t previous_end = 0, next_begin = 0, line_begin = 0, line_end = 0;  // RemoveValue
    std::uint32_t text_begin = 0, text_size = 0;                                   // in texts_
  };
  struct Placed;    // an edit with its place in one message
  class Placement;  // all of them, in the order of the bytes

  Edit& add(Kind kind, std::string_view text);
  void add_range(const Edit& range, std::string_view text);
  void drop_kind(Kind kind);
  [[nodiscard]] static bool is_removal(const Edit& edit) { return edit.kind == Kind::Remove || edit.kind == Kind::RemoveValue; }
  [[nodiscard]] static bool is_range(const Edit& edit) { return is_removal(edit) || edit.kind == Kind::Replace; }
  [[nodiscard]] const Edit* removal_of(const HeaderField& field) const;
  [[nodiscard]] static bool lies_in(const Edit& inner, const Edit& outer);
  [[nodiscard]] std::string_view text(const Edit& edit) const { return std::string_view(texts_).substr(edit.text_begin, edit.text_size); }
  template <class Sink>
  void write(const Message& message, Sink& sink) const;

  std::vector<Edit> edits_;
  std::string texts_;
};

}  // namespace perdure::sip
