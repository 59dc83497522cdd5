#include "transaction/key.hpp"

#include <algorithm>

#include "base/case.hpp"
#include "base/checksum.hpp"

namespace perdure::transaction {
namespace {

constexpr std::string_view magic_cookie = "z9hG4bK";
constexpr std::string_view stateful_prefix = BranchParameter::prefix;
constexpr std::string_view stateless_prefix = "z9hG4bKs";

// Joins parts for hashing; a length before each part keeps ("a", "bc") apart from ("ab", "c"). What is too long is hashed by itself.
class Hasher {
 public:
  explicit Hasher(std::uint64_t seed) : hash_(seed) {}
  Hasher& add(std::string_view part) {
    if (part.size() + 4 > buffer_.size() - used_) flush();
    if (part.size() + 4 > buffer_.size()) {
      hash_ = checksum(part, hash_ + part.size());
      return *this;
    }
    for (int shift = 0; shift < 32; shift += 8) buffer_[used_++] = static_cast<char>(part.size() >> shift);
    std::ranges::copy(part, buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += part.size();
    return *this;
  }
  Hasher& add_folded(std::string_view part) {
    const std::size_t begin = used_;
    add(part);
    if (used_ >= begin + part.size())
      for (std::size_t i = used_ - part.size(); i < used_; ++i) buffer_[i] = to_lower(buffer_[i]);
    return *this;
  }
  Hasher& add(std::uint64_t number) { return add(std::string_view(reinterpret_cast<const char*>(&number), sizeof number)); }
  std::uint64_t value() {
    flush();
    return hash_;
  }

 private:
  void flush() {
    if (used_) hash_ = checksum(buffer_.data(), used_, hash_);
    used_ = 0;
  }
  std::uint64_t hash_;
  std::size_t used_ = 0;
  std::array<char, 512> buffer_;
};

void put_hex(char* out, std::uint64_t value, std::size_t digits) {
  for (std::size_t i = 0; i < digits; ++i) out[i] = "0123456789abcdef"[(value >> (4 * (digits - 1 - i))) & 15];
}

std::optional<std::uint64_t> read_hex(std::string_view text) {
  std::uint64_t value = 0;
  for (char c : text) {
    if (c >= '0' && c <= '9')
      value = value << 4 | static_cast<std::uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | static_cast<std::uint64_t>(c - 'a' + 10);
    else
      return std::nullopt;
  }
  return value;
}

std::uint64_t method_part(const sip::Message& request) {
  const auto method = request.method();
  return static_cast<std::uint64_t>(method == sip::Method::Ack || method == sip::Method::Cancel ? sip::Method::Invite : method);
}

}  // namespace

std::optional<std::uint64_t> server_key(const sip::Message& request, std::uint64_t secret) {
  const sip::Via* via = request.top_via();
  if (!via) return std::nullopt;
  Hasher hash(secret);
  hash.add(method_part(request));
  if (request.method() == sip::Method::Other) hash.add(request.method_name());
  if (via->branch.starts_with(magic_cookie) && via->branch.size() > magic_cookie.size())
    return hash.add(via->branch).add_folded(via->host).add(std::uint64_t{via->port}).value();
  const sip::CSeq* cseq = request.cseq();
  const sip::NameAddr* from = request.from();
  if (!cseq || !from) return std::nullopt;
  return hash.add(request.request_uri())
      .add(from->tag)
      .add(request.call_id())
      .add(std::uint64_t{cseq->number})
      .add_folded(via->host)
      .add(std::uint64_t{via->port})
      .add(via->branch)
      .value();
}

std::uint32_t loop_hash(const sip::Message& request, std::uint64_t secret) {
  Hasher hash(secret + 1);
  hash.add(request.request_uri()).add(request.call_id());
  if (const auto* from = request.from()) hash.add(from->tag);
  if (const auto* to = request.to()) hash.add(to->tag);
  if (const auto* cseq = request.cseq()) hash.add(std::uint64_t{cseq->number});
  for (const auto& field : request.headers())
    if (field.name == sip::HeaderName::Route || field.name == sip::HeaderName::ProxyRequire) hash.add(request.value(field));
  return static_cast<std::uint32_t>(hash.value());
}

BranchParameter::Text BranchParameter::text() const {
  Text out;
  std::ranges::copy(stateful_prefix, out.begin());
  put_hex(out.data() + 8, record, 8);
  put_hex(out.data() + 16, branch, 2);
  put_hex(out.data() + 18, nonce, 8);
  out[26] = '.';
  put_hex(out.data() + 27, loop, 8);
  return out;
}

std::optional<BranchParameter> BranchParameter::parse(std::string_view text) {
  if (text.size() != size || !text.starts_with(stateful_prefix) || text[26] != '.') return std::nullopt;
  const auto record = read_hex(text.substr(8, 8)), branch = read_hex(text.substr(16, 2)), nonce = read_hex(text.substr(18, 8)),
             loop = read_hex(text.substr(27, 8));
  if (!record || !branch || !nonce || !loop) return std::nullopt;
  return BranchParameter{static_cast<std::uint32_t>(*record), static_cast<std::uint8_t>(*branch), static_cast<std::uint32_t>(*nonce),
                         static_cast<std::uint32_t>(*loop)};
}

std::array<char, 24> stateless_branch(const sip::Message& request, std::uint64_t secret) {
  Hasher hash(secret + 2);
  // ACK keeps its own branch for a 2xx; a CANCEL must carry that of its INVITE, so the method is not hashed (16.11).
  if (const auto* via = request.top_via()) hash.add(via->branch).add_folded(via->host).add(std::uint64_t{via->port});
  hash.add(request.call_id()).add(request.request_uri());
  if (const auto* from = request.from()) hash.add(from->tag);
  if (const auto* cseq = request.cseq()) hash.add(std::uint64_t{cseq->number});
  std::array<char, 24> out;
  std::ranges::copy(stateless_prefix, out.begin());
  put_hex(out.data() + 8, hash.value(), 16);
  return out;
}

}  // namespace perdure::transaction
