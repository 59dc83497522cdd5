#pragma once
// A parsed SIP message over bytes that the caller owns. One pass finds the lines, everything finer is parsed when first asked for and
// remembered. No heap: a Message is reused by calling parse() again. RFC 3261 7, 16.3, 18.3, 25.
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "sip/header_name.hpp"
#include "sip/lines.hpp"
#include "sip/method.hpp"
#include "sip/name_addr.hpp"
#include "sip/uri.hpp"
#include "sip/values.hpp"
#include "sip/via.hpp"

namespace perdure::sip {

// More header lines than this in one message are answered with 513.
inline constexpr std::size_t headers_max = 128;
// Larger messages are answered with 513; a datagram never is.
inline constexpr std::size_t message_size_bytes_max = std::size_t{1} << 24;

// Why a message is refused. `reason` is static and fit for a status line.
struct ParseError {
  std::uint16_t status = 400;
  std::string_view reason;
};

struct CSeq {
  std::uint32_t number = 0;  // < 2^31 (RFC 3261 8.1.1.5)
  std::string_view method_name;
  Method method = Method::Other;
};

class Message {
 public:
  using Value = sip::Value;

  // `datagram` must outlive every use of the message. Leading CRLFs are skipped, bytes beyond Content-Length dropped (18.3). On an
  // error everything that could be found is still indexed, so that an error response can be built.
  std::expected<void, ParseError> parse(std::string_view datagram);
  // What a proxy demands before it works with a message (16.3): version, Request-URI, the mandatory headers, each once.
  // A Request-URI of an unknown scheme passes, uri()->scheme tells.
  [[nodiscard]] std::expected<void, ParseError> check() const;

  [[nodiscard]] bool is_request() const { return kind_ == Kind::Request; }
  [[nodiscard]] bool is_response() const { return kind_ == Kind::Response; }
  [[nodiscard]] Method method() const { return method_; }
  [[nodiscard]] std::string_view method_name() const { return method_name_; }
  [[nodiscard]] std::string_view request_uri() const { return request_uri_; }
  [[nodiscard]] std::uint16_t status() const { return status_; }
  [[nodiscard]] std::string_view reason() const { return reason_; }
  [[nodiscard]] std::string_view version() const { return version_; }

  // Start line to the end of the body; every offset counts from its start.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::string_view body() const { return bytes_.substr(body_begin_); }
  // Where the first header line, and where the empty line after the last one begins.
  [[nodiscard]] std::uint32_t headers_begin() const { return headers_begin_; }
  [[nodiscard]] std::uint32_t headers_end() const { return headers_end_; }

  [[nodiscard]] std::span<const HeaderField> headers() const { return {fields_.data(), field_count_}; }
  // The first of that name or null.
  [[nodiscard]] const HeaderField* find(HeaderName header) const;
  [[nodiscard]] const HeaderField* find(std::string_view header) const;
  [[nodiscard]] std::size_t count(HeaderName header) const { return counts_[static_cast<std::size_t>(header)]; }
  [[nodiscard]] std::string_view name(const HeaderField& field) const { return bytes_.substr(field.begin, field.name_length); }
  // Trimmed; folds inside are left as they are.
  [[nodiscard]] std::string_view value(const HeaderField& field) const {
    return bytes_.substr(field.value_begin, field.value_end - field.value_begin);
  }
  [[nodiscard]] std::string_view line(const HeaderField& field) const { return bytes_.substr(field.begin, field.end - field.begin); }

  // The comma-separated values of all lines of that header, in order. Not for headers whose grammar has a bare comma (From, Date,
  // Authorization and its kin).
  [[nodiscard]] ValueRange values(HeaderName header) const { return {bytes_, headers(), header}; }

  // Null, empty or nullopt: absent or malformed. The pointers live until the next parse().
  [[nodiscard]] const Via* top_via() const;
  [[nodiscard]] const CSeq* cseq() const;
  [[nodiscard]] const NameAddr* from() const;
  [[nodiscard]] const NameAddr* to() const;
  [[nodiscard]] const Uri* uri() const;  // the Request-URI
  [[nodiscard]] const Uri* from_uri() const;
  [[nodiscard]] const Uri* to_uri() const;
  [[nodiscard]] std::string_view call_id() const;
  [[nodiscard]] std::optional<std::uint32_t> max_forwards() const;  // 0..255

 private:
  enum class Kind : std::uint8_t { None, Request, Response };
  enum class Seen : std::uint8_t { Unknown, Bad, Good };
  template <class T>
  struct Lazy {
    Seen seen = Seen::Unknown;
    T value;
    template <class Parse>
    const T* get(Parse parse) {
      if (seen == Seen::Unknown) {
        auto parsed = parse();
        seen = parsed ? Seen::Good : Seen::Bad;
        if (parsed) value = *parsed;
      }
      return seen == Seen::Good ? &value : nullptr;
    }
  };

  void reset(std::string_view bytes);
  void parse_start_line(std::string_view line);
  void parse_request_line(std::string_view line);
  void parse_status_line(std::string_view line);
  std::size_t parse_headers(std::size_t position);
  void parse_header_line(const Line& line);
  void parse_content_length(std::size_t body_begin);
  void refuse(std::uint16_t status, std::string_view reason);
  [[nodiscard]] std::optional<CSeq> parse_cseq() const;
  [[nodiscard]] std::optional<ParseError> check_request() const;
  [[nodiscard]] std::optional<ParseError> check_single_values() const;
  [[nodiscard]] const NameAddr* address(HeaderName header, Lazy<NameAddr>& cache) const;

  std::string_view bytes_, method_name_, request_uri_, reason_, version_;
  std::uint32_t headers_begin_ = 0, headers_end_ = 0, body_begin_ = 0;
  Kind kind_ = Kind::None;
  Method method_ = Method::Other;
  std::uint16_t status_ = 0;
  std::uint16_t field_count_ = 0;
  ParseError error_{0, {}};
  std::array<std::uint8_t, header_names> first_{};  // index + 1 into fields_, 0: absent
  std::array<std::uint8_t, header_names> counts_{};
  mutable Lazy<Via> via_;
  mutable Lazy<CSeq> cseq_;
  mutable Lazy<NameAddr> from_, to_;
  mutable Lazy<Uri> uri_, from_uri_, to_uri_;
  std::array<HeaderField, headers_max> fields_;
};

}  // namespace perdure::sip
