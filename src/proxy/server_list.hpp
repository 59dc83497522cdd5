#pragma once
// The blob of a branch to a host name: the name, and the servers that have not been tried. docs/store-format.md describes it.
#include <string>
#include <string_view>
#include <vector>

#include "locate/servers.hpp"

namespace perdure::proxy {

struct ServerList {
  locate::Destination destination;
  std::vector<locate::Server> left;
};

void encode_servers(const locate::Destination& destination, const std::vector<locate::Server>& left, std::string& out);
// False: the bytes are no such list.
[[nodiscard]] bool decode_servers(std::string_view bytes, ServerList& list);
// The name alone, a view of `bytes`; empty if they are no such list.
[[nodiscard]] std::string_view name_of_servers(std::string_view bytes);

}  // namespace perdure::proxy
