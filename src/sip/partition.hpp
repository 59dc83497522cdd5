#pragma once
#include <cstdint>
#include <string_view>

namespace perdure::sip {

// The partition that owns a message: by Call-ID, without a full parse. Messages without Call-ID go to partition 0. `partition_count` > 0.
[[nodiscard]] std::uint32_t partition_of(std::string_view message, std::uint32_t partition_count);

}  // namespace perdure::sip
