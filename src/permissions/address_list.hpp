#pragma once
// Addresses and networks in groups, in the format of Kamailio's address_file: group address[/bits] [bits [port [tag]]], '#' begins a
// comment.
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/socket_address.hpp"
#include "permissions/trusted_list.hpp"

namespace perdure::permissions {

inline constexpr std::size_t entries_max = 1'000'000;

struct Entry {
  std::uint32_t group = 0;
  SocketAddress network;   // host bits are 0; the port is below
  std::uint8_t bits = 0;   // of the prefix
  std::uint16_t port = 0;  // 0: any
  std::string tag;
  std::uint32_t line = 0;
};

// Immutable.
class AddressList {
 public:
  [[nodiscard]] static Result<AddressList> parse(std::string_view text, std::string_view name);
  [[nodiscard]] static Result<AddressList> load(const std::string& path);
  // The words of a line as a table of a database has them; an empty one is not there. `name` stands in errors, "name: row 3: …".
  struct Row {
    std::string group, address, bits, port, tag;
  };
  [[nodiscard]] static Result<AddressList> make(const std::vector<Row>& rows, std::string_view name);

  // The entry that the address belongs to: the longest prefix first, among equal ones the first of the file. Without `group` in any group.
  // Null: there is none. Lives as long as the list.
  [[nodiscard]] const Entry* find(const SocketAddress& address, std::optional<std::uint32_t> group) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  struct Key {
    std::array<std::uint8_t, 16> ip{};
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Level {
    Family family = Family::None;
    std::uint8_t bits = 0;
    std::unordered_map<Key, std::vector<std::uint32_t>, KeyHash> networks;  // positions in entries_
  };
  void index();

  std::vector<Entry> entries_;
  std::vector<Level> levels_;  // longest prefix first
};

// The lists in use, each replaced as a whole. Any thread.
class Permissions {
 public:
  [[nodiscard]] std::shared_ptr<const TrustedList> trusted() const { return trusted_.load(std::memory_order_acquire); }
  void replace(TrustedList list) { trusted_.store(std::make_shared<const TrustedList>(std::move(list)), std::memory_order_release); }
  [[nodiscard]] std::shared_ptr<const AddressList> list() const { return list_.load(std::memory_order_acquire); }
  void replace(AddressList list) { list_.store(std::make_shared<const AddressList>(std::move(list)), std::memory_order_release); }

 private:
  std::atomic<std::shared_ptr<const TrustedList>> trusted_{std::make_shared<const TrustedList>()};
  std::atomic<std::shared_ptr<const AddressList>> list_{std::make_shared<const AddressList>()};
};

}  // namespace perdure::permissions
