#include "dispatch/hash_key.hpp"

#include <algorithm>
#include <array>

#include "base/case.hpp"
#include "base/checksum.hpp"
#include "sip/uri.hpp"

namespace perdure::dispatch {

std::uint64_t hash_of_uri(std::string_view uri) {
  if (const std::size_t open = uri.find('<'); open != std::string_view::npos) {
    const std::size_t close = uri.find('>', open);
    uri = uri.substr(open + 1, close == std::string_view::npos ? close : close - open - 1);
  }
  const auto parsed = sip::Uri::parse(uri);
  if (!parsed || parsed->scheme == sip::Scheme::Other) return checksum(uri);
  std::array<char, 256> host;
  const std::size_t size = std::min(parsed->host.size(), host.size());
  std::transform(parsed->host.begin(), parsed->host.begin() + static_cast<std::ptrdiff_t>(size), host.begin(), to_lower);
  const std::uint16_t default_port = parsed->scheme == sip::Scheme::Sips ? 5061 : 5060;
  const std::uint64_t port = parsed->port == default_port ? 0 : parsed->port;
  return checksum(std::string_view(host.data(), size), checksum(parsed->user, port));
}

}  // namespace perdure::dispatch
