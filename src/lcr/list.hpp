#pragma once
// Gateways and the rules that say which of them a number may take, in order of cost: Kamailio's lcr. Lines of the file:
//   gateway INSTANCE NAME URI [strip=N] [prefix=X] [tag=X] [flags=N] [host=NAME]
//   rule INSTANCE PREFIX GATEWAY[/PRIORITY[/WEIGHT]],… [from=EXPRESSION] [request=EXPRESSION] [stop]
// PREFIX - is that of all numbers. Instances are independent of each other; gateways of instance 0 belong to all.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/regex.hpp"
#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "prefix/index.hpp"

namespace perdure::lcr {

inline constexpr std::size_t gateways_max = 65'535;
inline constexpr std::size_t rules_max = 8'000'000;
inline constexpr std::size_t targets_max = 32;  // of one rule
inline constexpr std::uint32_t instances_max = 1024;
inline constexpr std::size_t matches_max = 128;  // gateways for one call; further ones are not looked at

struct Gateway {
  std::uint32_t instance = 0;
  std::string name, uri;                 // where requests go
  std::string host;                      // stands in the Request-URI instead of the URI's host; empty: none
  std::optional<SocketAddress> address;  // none: the URI has a name; the port is 0 if the URI has none
  std::uint32_t strip = 0;               // characters taken off the front of the user
  std::string prefix, tag;               // put before it
  std::uint32_t flags = 0;
};

struct Target {
  std::uint16_t gateway = 0;  // position in List::gateways
  std::uint8_t priority = 0;  // the smallest comes first
  std::uint8_t weight = 1;
};

struct Rule {
  std::uint32_t first_target = 0;  // in List
  std::uint8_t target_count = 0;
  bool stop = false;                                // shorter prefixes are not looked at
  std::uint32_t from_regex = 0, request_regex = 0;  // positions in List, from 1; 0: any
};

struct RuleView {
  std::uint32_t instance = 0;
  std::string_view prefix, from, request;
  bool stop = false;
  std::vector<Target> targets;
};

// Immutable.
class List {
 public:
  [[nodiscard]] static Result<List> parse(std::string_view text, std::string_view name);
  [[nodiscard]] static Result<List> load(const std::string& path);

  [[nodiscard]] const std::vector<Gateway>& gateways() const { return gateways_; }
  // That name in the instance or in 0.
  [[nodiscard]] std::optional<std::uint16_t> find_gateway(std::uint32_t instance, std::string_view name) const;
  [[nodiscard]] bool has_instance(std::uint32_t instance) const { return instances_.contains(instance); }
  [[nodiscard]] std::vector<std::uint32_t> instances() const;

  struct Match {
    Target target;
    std::uint8_t prefix_length = 0;
  };
  // The targets of all rules that match, the longest prefix first, each gateway once.
  [[nodiscard]] std::vector<Match> match(std::uint32_t instance, std::string_view user, std::string_view caller,
                                         std::string_view request) const;
  // The gateway of the instance with that address; port 0, or a gateway whose URI has no port: whatever it is. nullopt: there is none, or a
  // gateway of the instance has a name instead of an address, so that nobody can say.
  [[nodiscard]] std::optional<std::uint16_t> gateway_at(std::uint32_t instance, const SocketAddress& address) const;

  [[nodiscard]] std::size_t rule_count() const { return rule_count_; }
  // The first `limit` rules.
  [[nodiscard]] std::vector<RuleView> rules(std::size_t limit) const;
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Instance {
    prefix::Index prefixes;
    std::vector<std::uint32_t> first_rule;  // by the number of the prefix, and one more
    std::vector<Rule> rules;                // in the order of prefixes, then of the file
    bool all_numeric = true;                // its gateways, with those of instance 0
    std::multimap<std::array<std::uint8_t, 16>, std::uint16_t> by_ip;
  };
  class Reader;
  [[nodiscard]] bool allows(const Rule& rule, std::string_view caller, std::string_view request) const;

  std::vector<Gateway> gateways_;
  std::vector<Target> targets_;
  struct Expression {
    std::string text;
    Regex regex;
  };
  std::vector<Expression> expressions_;  // those of rules, each once
  std::map<std::uint32_t, Instance> instances_;
  std::size_t rule_count_ = 0;
};

}  // namespace perdure::lcr
