#pragma once
// Numbers and texts one behind the other, for what records keep: numbers as they lie in memory (little endian, as the store), texts behind
// their length.
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace perdure {

template <class Number>
void put_number(std::string& out, Number number) {
  static_assert(std::is_trivially_copyable_v<Number>);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// `text` is at most as long as a Length can say.
template <class Length>
void put_text(std::string& out, std::string_view text) {
  put_number(out, static_cast<Length>(text.size()));
  out.append(text);
}

// Reads what these wrote; every function returns false, and leaves its argument alone, when the bytes end too early.
template <class Length>
class ByteReader {
 public:
  // The bytes are not copied, so they have to outlive the reader and the views that it gives.
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  [[nodiscard]] bool number(Number& number) {
    static_assert(std::is_trivially_copyable_v<Number>);
    if (bytes_.size() < sizeof number) return false;
    std::memcpy(&number, bytes_.data(), sizeof number);
    bytes_.remove_prefix(sizeof number);
    return true;
  }
  [[nodiscard]] bool text(std::string_view& text) {
    Length size = 0;
    if (!number(size) || size > bytes_.size()) return false;
    text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  [[nodiscard]] bool text(std::string& text) {
    std::string_view view;
    if (!this->text(view)) return false;
    text.assign(view);
    return true;
  }
  [[nodiscard]] bool done() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

}  // namespace perdure
