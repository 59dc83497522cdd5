#include "locate/dns_message.hpp"

#include <algorithm>
#include <cstring>

namespace perdure::locate {
namespace {

constexpr std::size_t aliases_max = 8, wire_name_max = 255;
constexpr std::uint16_t type_cname = 5, type_soa = 6, class_in = 1;
constexpr std::uint32_t ttl_max_s = 0x7FFF'FFFF;

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool seek(std::size_t position) {
    if (position > bytes_.size()) return false;
    at_ = position;
    return true;
  }
  template <class T>
  [[nodiscard]] bool number(T& value) {
    if (bytes_.size() - at_ < sizeof(T)) return false;
    value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | bytes_[at_++]);
    return true;
  }
  [[nodiscard]] bool copy(std::uint8_t* out, std::size_t size) {
    if (bytes_.size() - at_ < size) return false;
    std::memcpy(out, bytes_.data() + at_, size);
    at_ += size;
    return true;
  }
  // <character-string>
  [[nodiscard]] bool text(std::string& out) {
    std::uint8_t size = 0;
    if (!number(size) || bytes_.size() - at_ < size) return false;
    out.assign(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return true;
  }
  // A name, perhaps compressed. A pointer leads further back each time, so this ends. A dot inside a label comes out as a NUL, which no
  // name of ours has.
  [[nodiscard]] bool name(std::string& out) {
    out.clear();
    std::size_t at = at_, least = at_;
    bool jumped = false;
    while (true) {
      if (at >= bytes_.size()) return false;
      const std::uint8_t size = bytes_[at];
      if (size >= 0xC0) {
        if (at + 1 >= bytes_.size()) return false;
        const std::size_t target = static_cast<std::size_t>(size & 0x3F) << 8 | bytes_[at + 1];
        if (target >= least) return false;
        if (!jumped) at_ = at + 2;
        jumped = true;
        at = least = target;
        continue;
      }
      if (size > 63 || at + 1 + size > bytes_.size()) return false;
      ++at;
      if (size == 0) break;
      if (!out.empty()) out += '.';
      if (out.size() + size > wire_name_max) return false;
      for (std::size_t i = 0; i < size; ++i, ++at) {
        const char c = static_cast<char>(bytes_[at]);
        out += c == '.' ? '\0' : c;
      }
    }
    if (!jumped) at_ = at;
    return true;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

struct Header {
  std::string owner;
  std::uint16_t type = 0, dns_class = 0, size = 0;
  std::uint32_t ttl = 0;
  std::size_t end = 0;
};

bool read_header(Reader& reader, std::size_t total, Header& header) {
  if (!reader.name(header.owner) || !reader.number(header.type) || !reader.number(header.dns_class) || !reader.number(header.ttl) ||
      !reader.number(header.size))
    return false;
  if (header.ttl > ttl_max_s) header.ttl = 0;  // RFC 2181 8
  header.end = reader.position() + header.size;
  return header.end <= total;
}

bool owns(const Header& header, const std::string& name) {
  const auto owner = canonical_name(header.owner);
  return owner && *owner == name && header.dns_class == class_in;
}

void lower_ttl(Answer& answer, std::uint32_t seconds) {
  const Duration ttl = std::chrono::seconds(seconds);
  if (answer.ttl < 0s || ttl < answer.ttl) answer.ttl = ttl;
}

// False: the record makes no sense.
bool read_record(Reader reader, const Header& header, Answer& answer) {
  switch (static_cast<RecordType>(header.type)) {
    case RecordType::A:
    case RecordType::Aaaa: {
      const bool four = static_cast<RecordType>(header.type) == RecordType::A;
      SocketAddress address;
      address.family = four ? Family::IPv4 : Family::IPv6;
      if (header.size != (four ? 4 : 16) || !reader.copy(address.ip.data(), header.size) || !address.is_unicast()) return false;
      answer.addresses.push_back(address);
      return true;
    }
    case RecordType::Srv: {
      Service service;
      std::string target;
      if (!reader.number(service.priority) || !reader.number(service.weight) || !reader.number(service.port) || !reader.name(target) ||
          reader.position() != header.end)
        return false;
      if (!target.empty()) {
        const auto known = canonical_name(target);
        if (!known || service.port == 0) return false;
        service.target = *known;
      }
      answer.services.push_back(std::move(service));
      return true;
    }
    case RecordType::Naptr: {
      Pointer pointer;
      std::string replacement;
      if (!reader.number(pointer.order) || !reader.number(pointer.preference) || !reader.text(pointer.flags) ||
          !reader.text(pointer.service) || !reader.text(pointer.regexp) || !reader.name(replacement) || reader.position() != header.end)
        return false;
      if (!replacement.empty()) {
        const auto known = canonical_name(replacement);
        if (!known) return false;
        pointer.replacement = *known;
      }
      answer.pointers.push_back(std::move(pointer));
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Answer> read_answer(std::span<const std::uint8_t> bytes, const Question& question) {
  Reader reader(bytes);
  std::uint16_t id = 0, flags = 0, questions = 0, answers = 0, authorities = 0, additional = 0;
  if (!reader.number(id) || !reader.number(flags) || !reader.number(questions) || !reader.number(answers) || !reader.number(authorities) ||
      !reader.number(additional) || !(flags & 0x8000))
    return fail("no answer of a DNS server");
  std::string skipped;
  for (unsigned i = 0; i < questions; ++i)
    if (!reader.name(skipped) || !reader.seek(reader.position() + 4)) return fail("its question is cut off");
  const std::size_t first = reader.position();

  Answer answer;
  answer.ttl = -1s;
  std::string wanted = question.name;
  bool found = false, aliased = false;
  // The records of an alias may stand before it: the list is read anew for each.
  for (std::size_t step = 0; step <= aliases_max && !found; ++step) {
    if (!reader.seek(first)) return fail("it is cut off");
    std::string alias;
    for (unsigned i = 0; i < answers; ++i) {
      Header header;
      if (!read_header(reader, bytes.size(), header)) return fail("a record is cut off");
      if (owns(header, wanted)) {
        if (header.type == static_cast<std::uint16_t>(question.type)) {
          const std::size_t count = answer.addresses.size() + answer.services.size() + answer.pointers.size();
          if (count >= records_max || !read_record(reader, header, answer))
            ++answer.left_out;
          else
            found = true;
          lower_ttl(answer, header.ttl);
        } else if (header.type == type_cname && alias.empty()) {
          std::string target;
          Reader inside = reader;
          if (!inside.name(target) || inside.position() != header.end) return fail("a CNAME is cut off");
          alias = canonical_name(target).value_or("");
          lower_ttl(answer, header.ttl);
        }
      }
      if (!reader.seek(header.end)) return fail("a record is cut off");
    }
    if (found || alias.empty()) break;
    wanted = std::move(alias);
    aliased = true;
  }
  if (found) {
    answer.kind = Answer::Kind::Records;
    return answer;
  }
  answer.kind = Answer::Kind::None;
  std::uint32_t negative = 0;
  bool says = false;
  for (unsigned i = 0; i < authorities; ++i) {  // RFC 2308: the TTL of "there is none"
    Header header;
    if (!read_header(reader, bytes.size(), header)) break;
    if (header.type == type_soa && header.dns_class == class_in && header.size >= 4) {
      Reader inside = reader;
      std::uint32_t minimum = 0;
      if (inside.seek(header.end - sizeof minimum) && inside.number(minimum)) {
        negative = std::min(header.ttl, minimum);
        says = true;
      }
    }
    if (!reader.seek(header.end)) break;
  }
  // NXDOMAIN, or a SOA: the server knows that there is none. Otherwise it may only not know the zone of the alias.
  if (aliased && !says && (flags & 0x000F) == 0) answer.alias = wanted;
  if (says) lower_ttl(answer, negative);
  return answer;
}

}  // namespace perdure::locate
