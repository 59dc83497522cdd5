#pragma once
// What the DNS is asked and answers, as far as SIP needs it (RFC 3263): addresses, SRV (RFC 2782) and NAPTR (RFC 3403).
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/socket_address.hpp"
#include "base/time.hpp"

namespace perdure::locate {

enum class RecordType : std::uint16_t { A = 1, Aaaa = 28, Srv = 33, Naptr = 35 };
[[nodiscard]] std::string_view name(RecordType type);                             // "AAAA"
[[nodiscard]] std::optional<RecordType> record_type_from(std::string_view text);  // case-insensitive

// `name` is in lower case, without the dot at the end.
struct Question {
  RecordType type = RecordType::A;
  std::string name;
  friend bool operator==(const Question&, const Question&) = default;
};
struct QuestionHash {
  std::size_t operator()(const Question& question) const {
    return std::hash<std::string>{}(question.name) * 31 + static_cast<std::size_t>(question.type);
  }
};

struct Service {
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;  // empty: ".", the service is decidedly not offered
  friend bool operator==(const Service&, const Service&) = default;
};

struct Pointer {
  std::uint16_t order = 0, preference = 0;
  std::string flags, service, regexp, replacement;
  friend bool operator==(const Pointer&, const Pointer&) = default;
};

// How many records of one answer are kept; what is more is left out. A set for load sharing has a dozen.
inline constexpr std::size_t records_max = 32;
inline constexpr std::size_t name_bytes_max = 253;

struct Answer {
  enum class Kind : std::uint8_t {
    Records,
    None,    // there is no such name, or it has no such record
    Failed,  // nobody could say
  };
  Kind kind = Kind::Failed;
  std::vector<SocketAddress> addresses;  // A, AAAA; port 0
  std::vector<Service> services;
  std::vector<Pointer> pointers;
  std::string alias;         // a CNAME whose target is not in the same answer: ask for that instead
  Duration ttl{};            // as the DNS says, of None by the SOA; negative: it does not say
  std::size_t left_out = 0;  // records that were too many or made no sense
};
using AnswerPointer = std::shared_ptr<const Answer>;

// What is known without asking.
class Answers {
 public:
  virtual ~Answers() = default;
  // Null: not known.
  [[nodiscard]] virtual AnswerPointer find(const Question& question) = 0;
};

// In lower case, without a dot at the end. Nullopt: nothing that the DNS could be asked for, or that we want in a message.
[[nodiscard]] std::optional<std::string> canonical_name(std::string_view text);

}  // namespace perdure::locate
