#pragma once
// AVPs and XAVPs of one transaction as the script sees them. Decoded from the record when first used, encoded back when changed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perdure::script {

// Bounds of what one transaction may keep; beyond them setting fails and the script gets an error.
inline constexpr std::size_t variables_max = 256;
inline constexpr std::size_t variables_bytes_max = 16 * 1024;

// A number or a text, as the script set it.
struct Value {
  bool is_number = false;
  std::int64_t number = 0;
  std::string text;

  static Value of(std::int64_t number) { return {.is_number = true, .number = number, .text = {}}; }
  static Value of(std::string_view text) { return {.is_number = false, .number = 0, .text = std::string(text)}; }
};

// Index 0 is the value that was added last, as in Kamailio; a negative index counts from the oldest.
class Variables {
 public:
  void clear();
  [[nodiscard]] bool empty() const { return avps_.empty() && xavps_.empty(); }

  // Pointers live until the next change.
  [[nodiscard]] const Value* avp(std::string_view name, int index) const;
  [[nodiscard]] std::size_t avp_count(std::string_view name) const;
  // False: a bound is reached, nothing has changed.
  [[nodiscard]] bool push_avp(std::string_view name, Value value);
  // Removes that value; nothing if there is none.
  void remove_avp(std::string_view name, int index);
  void remove_avps(std::string_view name);

  [[nodiscard]] const Value* xavp(std::string_view name, int index, std::string_view field) const;
  [[nodiscard]] bool has_xavp(std::string_view name, int index) const;
  // A new XAVP in front of those of the same name.
  [[nodiscard]] bool push_xavp(std::string_view name, std::vector<std::pair<std::string, Value>> fields);
  // Sets the field of an existing XAVP; makes one for index 0 if there is none.
  [[nodiscard]] bool set_xavp(std::string_view name, int index, std::string_view field, Value value);
  void remove_xavp(std::string_view name, int index);
  void remove_xavps(std::string_view name);
  void remove_xavp_field(std::string_view name, int index, std::string_view field);

  // The bytes that live in the transaction record, appended; their layout stands in variables.cpp.
  void encode(std::string& out) const;
  // False, and empty, if the bytes are not such an encoding.
  bool decode(std::string_view bytes);

 private:
  struct Avp {
    std::string name;
    Value value;
  };
  struct Xavp {
    std::string name;
    std::vector<std::pair<std::string, Value>> fields;
  };
  template <class Entry>
  static std::ptrdiff_t find(const std::vector<Entry>& entries, std::string_view name, int index);
  [[nodiscard]] bool fits(std::size_t more_bytes) const;

  std::vector<Avp> avps_;  // oldest first
  std::vector<Xavp> xavps_;
};

}  // namespace perdure::script
