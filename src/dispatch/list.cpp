#include "dispatch/list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>

#include "base/case.hpp"
#include "locate/records.hpp"
#include "sip/uri_transport.hpp"

namespace perdure::dispatch {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";

// The next word of the line, without the blanks around it; empty at the end.
std::string_view next_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(blanks), line.size());
  const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The attributes may stand in quotes, which lets them hold blanks.
Result<std::string_view> attributes(std::string_view& line) {
  const std::size_t begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos || line[begin] != '"') return next_word(line);
  const std::size_t end = line.find('"', begin + 1);
  if (end == std::string_view::npos) return fail("the attributes begin with a quote that has no end");
  const std::string_view inside = line.substr(begin + 1, end - begin - 1);
  line.remove_prefix(end + 1);
  return inside;
}

// "name=value;name=value". Names that are not ours are the script's business ($xavp(_dsdst_=>attrs)).
Result<> read_attributes(Destination& destination) {
  std::string_view rest = destination.attrs;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, std::min(rest.find(';'), rest.size()));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = item.substr(0, equals), value = item.substr(equals + 1);
    std::uint32_t* const target = name == "weight"    ? &destination.weight
                                  : name == "rweight" ? &destination.relative_weight
                                  : name == "maxload" ? &destination.maxload
                                                      : nullptr;
    if (target != nullptr) {
      const auto parsed = number<std::uint32_t>(value);
      const std::uint32_t most = name == "maxload" ? 1'000'000 : 100;
      if (!parsed || *parsed > most || (name == "rweight" && *parsed == 0))
        return fail(fmt::format("{}={} is not a number from {} to {}", name, value, name == "rweight" ? 1 : 0, most));
      *target = *parsed;
    } else if (name == "duid") {
      destination.duid = value;
    } else if (name == "socket") {
      destination.socket = value;
    } else if (name == "ping_from") {
      if (!sip::Uri::parse(value)) return fail(fmt::format("ping_from={} is not a URI", value));
      destination.ping_from = value;
    }
  }
  return {};
}

// Where the URI points. Host names are looked up later (locator.hpp).
Result<> resolve(Destination& destination) {
  const auto uri = sip::Uri::parse(destination.uri);
  if (!uri || (uri->scheme != sip::Scheme::Sip && uri->scheme != sip::Scheme::Sips) || uri->host.empty())
    return fail(fmt::format("'{}' is not a sip or sips URI", destination.uri));
  const auto named = sip::transport_of(*uri);
  if (!named) return fail(fmt::format("'{}' names an unknown transport", destination.uri));
  destination.transport = named->transport;
  const std::uint16_t port = uri->port != 0 ? uri->port : sip::default_port(destination.transport);
  if (const auto address = SocketAddress::parse(uri->host, port)) {
    destination.address = *address;
  } else if (!locate::canonical_name(uri->host)) {
    return fail(fmt::format("'{}' has neither an address nor a host name", destination.uri));
  }
  return {};
}

Result<Destination> parse_line(std::string_view line) {
  Destination destination;
  const auto set = number<std::int32_t>(next_word(line));
  if (!set) return fail("a line begins with the number of a set");
  destination.set = *set;
  destination.uri = next_word(line);
  if (destination.uri.empty()) return fail(fmt::format("set {} is followed by no destination", *set));
  if (auto resolved = resolve(destination); !resolved) return std::unexpected(resolved.error());

  if (const auto word = next_word(line); !word.empty() && word.front() != '#') {
    const auto flags = number<std::uint32_t>(word);
    constexpr std::uint32_t known = state::all | state::no_dns | state::no_ping;
    if (!flags || (*flags & ~known) != 0) return fail(fmt::format("'{}' is not a sum of flags 1, 2, 4, 8, 16 and 32", word));
    destination.listed_flags = static_cast<std::uint8_t>(*flags);
  } else if (!word.empty()) {
    return destination;
  }
  if (const auto word = next_word(line); !word.empty() && word.front() != '#') {
    const auto priority = number<std::int32_t>(word);
    if (!priority) return fail(fmt::format("'{}' is not a priority", word));
    destination.priority = *priority;
  } else if (!word.empty()) {
    return destination;
  }
  const auto attrs = attributes(line);
  if (!attrs) return std::unexpected(attrs.error());
  if (attrs->starts_with('#')) return destination;
  destination.attrs = *attrs;
  if (auto read = read_attributes(destination); !read) return std::unexpected(read.error());
  if (const auto word = next_word(line); !word.empty() && word.front() != '#')
    return fail(fmt::format("'{}' after the attributes: put attributes with blanks in quotes", word));
  return destination;
}

// Each position as often as its weight (in lowest terms) says, at even distances, so that neighbours in time differ.
std::vector<std::uint16_t> spread_weights(const std::vector<Destination>& destinations) {
  std::uint32_t divisor = 0;
  for (const auto& one : destinations) divisor = std::gcd(divisor, one.weight);
  std::vector<std::pair<double, std::uint16_t>> turns;
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    const std::uint32_t weight = divisor == 0 ? 0 : destinations[i].weight / divisor;
    for (std::uint32_t turn = 0; turn < weight; ++turn) turns.emplace_back((turn + 0.5) / weight, static_cast<std::uint16_t>(i));
  }
  std::sort(turns.begin(), turns.end());
  std::vector<std::uint16_t> order;
  for (const auto& [when, position] : turns) order.push_back(position);
  return order;
}

}  // namespace

const Set* List::find(std::int32_t id) const {
  const auto found = std::lower_bound(sets.begin(), sets.end(), id, [](const auto& set, std::int32_t wanted) { return set->id < wanted; });
  return found != sets.end() && (*found)->id == id ? found->get() : nullptr;
}

const Destination* List::find(std::int32_t id, std::string_view uri) const {
  const Set* const set = find(id);
  if (set == nullptr) return nullptr;
  for (const auto& one : set->destinations)
    if (equals_ignore_case(one.uri, uri)) return &one;
  return nullptr;
}

std::size_t List::size() const {
  std::size_t size = 0;
  for (const auto& set : sets) size += set->destinations.size();
  return size;
}

Result<List> parse_list(std::string_view text, std::string_view name) {
  std::map<std::int32_t, std::vector<Destination>> sets;
  std::size_t count = 0;
  std::uint32_t line_number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++line_number;
    const std::size_t begin = line.find_first_not_of(blanks);
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    const auto at = [&](std::string_view message) { return fail(fmt::format("{}:{}: {}", name, line_number, message)); };
    if (line.find('\0') != std::string_view::npos) return at("a zero byte: this is not a text file");
    auto destination = parse_line(line);
    if (!destination) return at(destination.error().message);
    if (++count > destinations_max) return at(fmt::format("more than {} destinations", destinations_max));
    destination->line = line_number;
    auto& set = sets[destination->set];
    for (const auto& other : set)
      if (equals_ignore_case(other.uri, destination->uri))
        return at(fmt::format("'{}' is in set {} already, by line {}", destination->uri, destination->set, other.line));
    set.push_back(std::move(*destination));
  }
  List list;
  for (auto& [id, destinations] : sets) {
    auto set = std::make_unique<Set>();
    set->id = id;
    std::stable_sort(destinations.begin(), destinations.end(), [](const auto& a, const auto& b) { return a.priority > b.priority; });
    set->by_weight = spread_weights(destinations);
    set->destinations = std::move(destinations);
    list.sets.push_back(std::move(set));
  }
  return list;
}

Result<List> load_list(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return fail(fmt::format("{}: cannot be read", path));
  return parse_list(text, path);
}

}  // namespace perdure::dispatch
