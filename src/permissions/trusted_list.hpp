#pragma once
// Trusted sources as Kamailio's table `trusted` has them: an address and a transport, if wanted with patterns for the From URI and the
// Request-URI (POSIX basic regular expressions).
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"

namespace perdure::permissions {

inline constexpr std::size_t trusted_max = 100'000;

// As it stands in a file or a table.
struct TrustedRow {
  std::string source;                     // a numeric address
  std::string transport;                  // udp, tcp, …, any, or none: the row is not used
  std::string from_pattern, uri_pattern;  // empty: any
  std::string tag;
  std::int64_t priority = 0;  // the highest is asked first
};

// Immutable.
class TrustedList {
 public:
  // `name` stands in errors, "name: row 3: …".
  [[nodiscard]] static Result<TrustedList> make(std::vector<TrustedRow> rows, std::string_view name);
  // A file with a line each: source transport [from_pattern [uri_pattern [tag [priority]]]]; '-' is an empty pattern or tag.
  [[nodiscard]] static Result<TrustedList> load(const std::string& path);

  // The first row that matches; null: there is none. Lives as long as the list.
  [[nodiscard]] const TrustedRow* find(std::string_view source, Transport transport, const std::string& from, const std::string& uri) const;
  [[nodiscard]] std::vector<TrustedRow> rows() const;

 private:
  class Pattern;
  struct Entry {
    TrustedRow row;
    std::optional<Transport> transport;  // none: any
    std::shared_ptr<const Pattern> from, uri;
  };
  [[nodiscard]] static Result<std::optional<Entry>> entry_of(TrustedRow row);

  std::unordered_map<std::string, std::vector<Entry>> by_source_;  // in order of priority
};

}  // namespace perdure::permissions
