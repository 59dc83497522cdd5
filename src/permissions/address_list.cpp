#include "permissions/address_list.hpp"

#include <algorithm>
#include <map>

#include "base/checksum.hpp"
#include "base/text_file.hpp"

namespace perdure::permissions {
namespace {

std::uint8_t bits_of(Family family) {
  return family == Family::IPv4 ? 32 : 128;
}

// The first `bits` bits.
std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> ip, unsigned bits) {
  for (unsigned i = 0; i < ip.size(); ++i)
    ip[i] = i * 8 + 8 <= bits ? ip[i] : i * 8 >= bits ? std::uint8_t{0} : static_cast<std::uint8_t>(ip[i] & (0xff00U >> (bits - i * 8)));
  return ip;
}

Result<Entry> entry_of(const AddressList::Row& row) {
  Entry entry;
  const auto group = number_from<std::uint32_t>(row.group);
  if (!group || *group == 0) return fail("'" + row.group + "' is not the number of a group, 1 or more");
  entry.group = *group;
  const auto address = SocketAddress::parse(row.address, 0);
  if (!address) return fail("'" + row.address + "' is not a numeric address");
  const unsigned most = bits_of(address->family);
  const auto bits = row.bits.empty() ? std::optional<unsigned>(most) : number_from<unsigned>(row.bits);
  if (!bits || *bits > most) return fail("'" + row.bits + "' is not a number of bits from 0 to " + std::to_string(most));
  entry.bits = static_cast<std::uint8_t>(*bits);
  entry.network = *address;
  entry.network.ip = masked(address->ip, *bits);
  if (!row.port.empty()) {
    const auto port = number_from<std::uint16_t>(row.port);
    if (!port) return fail("'" + row.port + "' is not a port");
    entry.port = *port;
  }
  entry.tag = row.tag;
  return entry;
}

Result<Entry> parse_line(std::string_view line) {
  AddressList::Row row;
  row.group = next_word(line);
  row.address = next_word(line);
  if (const std::size_t slash = row.address.find('/'); slash != std::string::npos) {
    row.bits = row.address.substr(slash + 1);
    row.address.resize(slash);
    if (row.bits.empty()) return fail("a slash without a number of bits");
  } else {
    row.bits = next_word(line);
  }
  row.port = next_word(line);
  row.tag = next_word(line);
  auto entry = entry_of(row);
  if (entry && !trim(line).empty()) return fail("'" + std::string(trim(line)) + "' after the tag");
  return entry;
}

}  // namespace

std::size_t AddressList::KeyHash::operator()(const Key& key) const {
  return checksum(key.ip.data(), key.ip.size());
}

Result<AddressList> AddressList::parse(std::string_view text, std::string_view name) {
  AddressList list;
  auto done = for_each_line(text, name, [&](std::string_view line, std::size_t number) -> Result<> {
    auto entry = parse_line(line);
    if (!entry) return std::unexpected(entry.error());
    if (list.entries_.size() >= entries_max) return fail("more than " + std::to_string(entries_max) + " addresses");
    entry->line = static_cast<std::uint32_t>(number);
    list.entries_.push_back(std::move(*entry));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  list.index();
  return list;
}

Result<AddressList> AddressList::load(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse(*text, path);
}

Result<AddressList> AddressList::make(const std::vector<Row>& rows, std::string_view name) {
  AddressList list;
  if (rows.size() > entries_max) return fail(std::string(name) + ": more than " + std::to_string(entries_max) + " addresses");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto entry = entry_of(rows[i]);
    if (!entry) return fail(std::string(name) + ": row " + std::to_string(i + 1) + ": " + entry.error().message);
    entry->line = static_cast<std::uint32_t>(i + 1);
    list.entries_.push_back(std::move(*entry));
  }
  list.index();
  return list;
}

void AddressList::index() {
  std::map<std::pair<Family, std::uint8_t>, Level> levels;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    auto& level = levels[{entry.network.family, entry.bits}];
    level.family = entry.network.family;
    level.bits = entry.bits;
    level.networks[Key{entry.network.ip}].push_back(i);
  }
  for (auto& [key, level] : levels) levels_.push_back(std::move(level));
  std::ranges::sort(levels_, std::ranges::greater(), &Level::bits);
}

const Entry* AddressList::find(const SocketAddress& address, std::optional<std::uint32_t> group) const {
  for (const Level& level : levels_) {
    if (level.family != address.family) continue;
    const auto found = level.networks.find(Key{masked(address.ip, level.bits)});
    if (found == level.networks.end()) continue;
    for (const std::uint32_t position : found->second) {
      const Entry& entry = entries_[position];
      if ((!group || entry.group == *group) && (entry.port == 0 || entry.port == address.port)) return &entry;
    }
  }
  return nullptr;
}

}  // namespace perdure::permissions
