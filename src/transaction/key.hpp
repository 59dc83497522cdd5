#pragma once
// How a message finds its transaction: RFC 3261 17.2.3 for requests, our own branch parameter for responses.
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sip/message.hpp"
#include "store/store.hpp"

namespace perdure::transaction {

// Hash of what identifies a server transaction: branch, sent-by and method, with ACK and CANCEL taken as INVITE so that they find it.
// Without the magic cookie (RFC 2543) the Request-URI, From tag, Call-ID, CSeq number and top Via stand in. `secret` keeps peers from
// making collisions. nullopt if the message lacks what is hashed.
[[nodiscard]] std::optional<std::uint64_t> server_key(const sip::Message& request, std::uint64_t secret);

// RFC 5393 4.2: what routing depends on. Equal for the same request coming round unchanged.
[[nodiscard]] std::uint32_t loop_hash(const sip::Message& request, std::uint64_t secret);

// The branch parameter of a client transaction names its record: "z9hG4bKp" record(8 hex) branch(2) nonce(8) "." loop hash(8).
struct BranchParameter {
  std::uint32_t record = 0;
  std::uint8_t branch = 0;
  std::uint32_t nonce = 0;
  std::uint32_t loop = 0;

  static constexpr std::string_view prefix = "z9hG4bKp";
  static constexpr std::size_t size = 8 + 8 + 2 + 8 + 1 + 8;
  using Text = std::array<char, size>;
  [[nodiscard]] Text text() const;
  [[nodiscard]] static std::optional<BranchParameter> parse(std::string_view branch);
};

// RFC 3261 16.11: the same for every retransmission of a request: "z9hG4bKs" and 16 hex digits.
[[nodiscard]] std::array<char, 24> stateless_branch(const sip::Message& request, std::uint64_t secret);

}  // namespace perdure::transaction
