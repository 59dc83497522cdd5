// The file of gateways and rules. A file is read whole before anything of it counts.
#include <algorithm>

#include "base/text_file.hpp"
#include "lcr/list.hpp"
#include "sip/uri.hpp"

namespace perdure::lcr {
namespace {

// Takes "name=value" apart; nullopt: the word is not of that name.
std::optional<std::string_view> named(std::string_view word, std::string_view name) {
  if (!word.starts_with(name) || word.size() <= name.size() || word[name.size()] != '=') return std::nullopt;
  return word.substr(name.size() + 1);
}

Result<std::uint32_t> instance_from(std::string_view text, std::uint32_t least) {
  const auto number = number_from<std::uint32_t>(text);
  if (!number || *number < least || *number > instances_max)
    return fail("'" + std::string(text) + "' is not an instance from " + std::to_string(least) + " to " + std::to_string(instances_max));
  return *number;
}

Result<std::uint32_t> option_number(std::string_view name, std::string_view text, std::uint32_t most) {
  const auto number = number_from<std::uint32_t>(text);
  if (!number || *number > most)
    return fail("'" + std::string(text) + "' is not a number for " + std::string(name) + ", at most " + std::to_string(most));
  return *number;
}

bool is_word_of_uri(std::string_view text) {
  return text.find_first_of("<>\"@;:/ \t\r\n") == std::string_view::npos;
}

}  // namespace

class List::Reader {
 public:
  explicit Reader(List& list) : list_(list) {}
  Result<> line(std::string_view line) {
    const std::string_view kind = next_word(line);
    if (kind == "gateway") return gateway(line);
    if (kind == "rule") return rule(line);
    return fail("'" + std::string(kind) + "' is not one of gateway, rule");
  }
  void finish();

 private:
  struct Row {
    std::uint32_t instance = 0;
    std::string_view prefix;  // of the file's text
    Rule rule;
  };
  Result<> gateway(std::string_view line);
  Result<> rule(std::string_view line);
  Result<> targets(std::uint32_t instance, std::string_view text, Rule& rule);
  Result<std::uint32_t> expression(std::string_view text);

  List& list_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::uint32_t> known_;                    // expressions
  std::map<std::pair<std::uint32_t, std::string>, std::uint16_t> by_name_;  // gateways
};

Result<> List::Reader::gateway(std::string_view line) {
  Gateway gateway;
  const auto instance = instance_from(next_word(line), 0);
  if (!instance) return std::unexpected(instance.error());
  gateway.instance = *instance;
  gateway.name = next_word(line);
  if (gateway.name.empty() || gateway.name.find_first_of("/,|") != std::string::npos)
    return fail("'" + gateway.name + "' is not a name without / , and |");
  gateway.uri = next_word(line);
  const auto uri = sip::Uri::parse(gateway.uri);
  if (!uri || (uri->scheme != sip::Scheme::Sip && uri->scheme != sip::Scheme::Sips) || uri->has_user || uri->has_headers ||
      gateway.uri.find('|') != std::string::npos)
    return fail("'" + gateway.uri + "' is not a sip URI without a user and headers");
  gateway.address = SocketAddress::parse(uri->host, uri->port);
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (const auto strip = named(word, "strip")) {
      const auto number = option_number("strip", *strip, 64);
      if (!number) return std::unexpected(number.error());
      gateway.strip = *number;
    } else if (const auto flags = named(word, "flags")) {
      const auto number = option_number("flags", *flags, UINT32_MAX);
      if (!number) return std::unexpected(number.error());
      gateway.flags = *number;
    } else if (const auto prefix = named(word, "prefix"); prefix && is_word_of_uri(*prefix)) {
      gateway.prefix = *prefix;
    } else if (const auto tag = named(word, "tag")) {
      gateway.tag = *tag;
    } else if (const auto host = named(word, "host"); host && is_word_of_uri(*host)) {
      gateway.host = *host;
    } else {
      return fail("'" + std::string(word) + "' is not one of strip=, prefix=, tag=, flags=, host=");
    }
  }
  if (list_.gateways_.size() >= gateways_max) return fail("more than " + std::to_string(gateways_max) + " gateways");
  const auto number = static_cast<std::uint16_t>(list_.gateways_.size());
  if (!by_name_.try_emplace({gateway.instance, gateway.name}, number).second)
    return fail("the instance has a gateway '" + gateway.name + "' already");
  list_.gateways_.push_back(std::move(gateway));
  return {};
}

// "name/priority/weight,name"
Result<> List::Reader::targets(std::uint32_t instance, std::string_view text, Rule& rule) {
  rule.first_target = static_cast<std::uint32_t>(list_.targets_.size());
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    std::string_view parts[3];
    for (auto& part : parts) {
      const std::size_t slash = std::min(one.find('/'), one.size());
      part = one.substr(0, slash);
      one.remove_prefix(std::min(slash + 1, one.size()));
    }
    Target target;
    auto found = by_name_.find({instance, std::string(parts[0])});
    if (found == by_name_.end()) found = by_name_.find({0, std::string(parts[0])});
    if (found == by_name_.end()) return fail("there is no gateway '" + std::string(parts[0]) + "' above this line");
    target.gateway = found->second;
    const auto priority = option_number("the priority", parts[1].empty() ? "0" : parts[1], 255);
    if (!priority) return std::unexpected(priority.error());
    const auto weight = option_number("the weight", parts[2].empty() ? "1" : parts[2], 254);
    if (!weight) return std::unexpected(weight.error());
    if (*weight == 0) return fail("a weight is 1 at least");
    target.priority = static_cast<std::uint8_t>(*priority);
    target.weight = static_cast<std::uint8_t>(*weight);
    if (rule.target_count == targets_max) return fail("more than " + std::to_string(targets_max) + " gateways");
    ++rule.target_count;
    list_.targets_.push_back(target);
  }
  return rule.target_count ? Result<>{} : fail("a rule needs a gateway");
}

Result<std::uint32_t> List::Reader::expression(std::string_view text) {
  const auto known = known_.find(std::string(text));
  if (known != known_.end()) return known->second;
  auto regex = Regex::compile(text);
  if (!regex) return std::unexpected(regex.error());
  list_.expressions_.push_back({std::string(text), std::move(*regex)});
  return known_[std::string(text)] = static_cast<std::uint32_t>(list_.expressions_.size());
}

Result<> List::Reader::rule(std::string_view line) {
  Row row;
  const auto instance = instance_from(next_word(line), 1);
  if (!instance) return std::unexpected(instance.error());
  row.instance = *instance;
  row.prefix = next_word(line);
  if (row.prefix == "-") row.prefix = {};
  if (row.prefix.size() > prefix::prefix_bytes_max) return fail("the prefix is too long");
  if (auto done = targets(row.instance, next_word(line), row.rule); !done) return done;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    const auto from = named(word, "from"), request = named(word, "request");
    if (from || request) {
      const auto number = expression(from ? *from : *request);
      if (!number) return std::unexpected(number.error());
      (from ? row.rule.from_regex : row.rule.request_regex) = *number;
    } else if (word == "stop") {
      row.rule.stop = true;
    } else {
      return fail("'" + std::string(word) + "' is not one of from=, request=, stop");
    }
  }
  if (rows_.size() >= rules_max) return fail("more than " + std::to_string(rules_max) + " rules");
  rows_.push_back(row);
  return {};
}

void List::Reader::finish() {
  std::ranges::stable_sort(rows_, {}, [](const Row& row) { return std::pair(row.instance, row.prefix); });
  for (const Gateway& gateway : list_.gateways_)
    if (gateway.instance) (void)list_.instances_[gateway.instance];
  for (std::size_t i = 0; i < rows_.size();) {
    Instance& instance = list_.instances_[rows_[i].instance];
    std::vector<std::string_view> prefixes;
    const std::size_t begin = i;
    for (; i < rows_.size() && rows_[i].instance == rows_[begin].instance; ++i) {
      if (prefixes.empty() || prefixes.back() != rows_[i].prefix) {
        prefixes.push_back(rows_[i].prefix);
        instance.first_rule.push_back(static_cast<std::uint32_t>(i - begin));
      }
      instance.rules.push_back(rows_[i].rule);
    }
    instance.first_rule.push_back(static_cast<std::uint32_t>(i - begin));
    instance.first_rule.shrink_to_fit();
    instance.rules.shrink_to_fit();
    instance.prefixes = prefix::Index(prefixes);
  }
  list_.targets_.shrink_to_fit();
  list_.rule_count_ = rows_.size();
  for (auto& [number, instance] : list_.instances_)
    for (std::size_t i = 0; i < list_.gateways_.size(); ++i) {
      const Gateway& gateway = list_.gateways_[i];
      if (gateway.instance != number && gateway.instance != 0) continue;
      if (gateway.address)
        instance.by_ip.emplace(gateway.address->ip, static_cast<std::uint16_t>(i));
      else
        instance.all_numeric = false;
    }
}

Result<List> List::parse(std::string_view text, std::string_view name) {
  List list;
  Reader reader(list);
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t) { return reader.line(line); });
  if (!done) return std::unexpected(done.error());
  reader.finish();
  return list;
}

Result<List> List::load(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse(*text, path);
}

}  // namespace perdure::lcr
