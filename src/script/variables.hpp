#pragma once
// AVPs, XAVPs, XAVUs and XAVIs of one transaction as the script sees them. Decoded from the record when first used, encoded back when
// changed.
#include <cstddef>
#include <cstdint>
#include <optional>
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

// Which of Kamailio's structured variables: xavu has one of each name and field, xavi ignores the case of names.
enum class Tree : std::uint8_t { Xavp, Xavu, Xavi };

struct Xavp {
  Tree tree = Tree::Xavp;
  std::string name;
  std::optional<Value> value;                         // of one without fields
  std::vector<std::pair<std::string, Value>> fields;  // oldest first

  [[nodiscard]] bool is_named(Tree which, std::string_view wanted) const;
  // Index 0 is the field of that name that was added last.
  [[nodiscard]] const Value* field(std::string_view wanted, int index = 0) const;
};

// Index 0 is the value that was added last, as in Kamailio; a negative index counts from the oldest. Where a function returns bool, false
// means: a bound is reached or there is no such value, nothing has changed.
class Variables {
 public:
  void clear();
  [[nodiscard]] bool empty() const { return avps_.empty() && xavps_.empty(); }

  // Pointers live until the next change.
  [[nodiscard]] const Value* avp(std::string_view name, int index) const;
  [[nodiscard]] std::size_t avp_count(std::string_view name) const;
  [[nodiscard]] bool push_avp(std::string_view name, Value value);
  // Removes that value; nothing if there is none.
  void remove_avp(std::string_view name, int index);
  void remove_avps(std::string_view name);

  [[nodiscard]] const Xavp* xavp(Tree tree, std::string_view name, int index) const;
  [[nodiscard]] std::size_t xavp_count(Tree tree, std::string_view name) const;
  // A new one in front of those of the same name.
  [[nodiscard]] bool push_xavp(Xavp xavp);
  // The value itself instead of what it was.
  [[nodiscard]] bool set_xavp(Tree tree, std::string_view name, int index, Value value);
  // The whole instead of what it was.
  [[nodiscard]] bool replace_xavp(Tree tree, std::string_view name, int index, Xavp xavp);
  // Another value of the field, in front of those it has; false, too, if the XAVP is a value itself.
  [[nodiscard]] bool push_field(Tree tree, std::string_view name, int index, std::string_view field, Value value);
  // Instead of the value with that index.
  [[nodiscard]] bool set_field(Tree tree, std::string_view name, int index, std::string_view field, int field_index, Value value);
  // The only value of that field of the first XAVP, which is made if there is none.
  [[nodiscard]] bool set_child(Tree tree, std::string_view name, std::string_view field, Value value);
  void remove_xavp(Tree tree, std::string_view name, int index);
  void remove_xavps(Tree tree, std::string_view name);
  void remove_field(Tree tree, std::string_view name, int index, std::string_view field, int field_index);
  void remove_fields(Tree tree, std::string_view name, int index, std::string_view field);

  // The bytes that live in the transaction record, appended; their layout stands in variables_codec.cpp.
  void encode(std::string& out) const;
  // False, and empty, if the bytes are not such an encoding.
  bool decode(std::string_view bytes);

 private:
  struct Avp {
    std::string name;
    Value value;
  };
  [[nodiscard]] Xavp* find(Tree tree, std::string_view name, int index);
  [[nodiscard]] bool fits(std::size_t more_bytes, std::size_t more_values = 1) const;

  std::vector<Avp> avps_;  // oldest first
  std::vector<Xavp> xavps_;
};

}  // namespace perdure::script
