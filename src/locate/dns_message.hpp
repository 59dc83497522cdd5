#pragma once
// Reads the answer of a DNS server (RFC 1035 4). By hand, because c-ares 1.18 gives neither the TTL of SRV and NAPTR records nor that of
// "there is none"; it has checked id, source and question.
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "locate/records.hpp"

namespace perdure::locate {

// Takes records of the name that was asked for, and of those its CNAMEs lead to; others are not looked at. An error: the bytes are no
// answer. Of any other bytes at most records_max records are taken.
[[nodiscard]] Result<Answer> read_answer(std::span<const std::uint8_t> bytes, const Question& question);

}  // namespace perdure::locate
