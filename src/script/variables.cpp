#include "script/variables.hpp"

#include <algorithm>
#include <cstring>

namespace perdure::script {
namespace {

// version, count of AVPs, AVPs, count of XAVPs, XAVPs. Texts with a 2-byte length, numbers in 8 bytes, little endian.
constexpr std::uint8_t encoding_version = 1;

template <class T>
void put(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint16_t>(text.size()));
  out.append(text);
}
void put_value(std::string& out, const Value& value) {
  put(out, static_cast<std::uint8_t>(value.is_number));
  if (value.is_number)
    put(out, value.number);
  else
    put_text(out, value.text);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  bool number(T& value) {
    if (bytes_.size() < sizeof value) return false;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return true;
  }
  bool text(std::string& value) {
    std::uint16_t size = 0;
    if (!number(size) || size > bytes_.size()) return false;
    value.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return true;
  }
  bool value(Value& value) {
    std::uint8_t is_number = 0;
    if (!number(is_number) || is_number > 1) return false;
    value.is_number = is_number != 0;
    return value.is_number ? number(value.number) : text(value.text);
  }
  [[nodiscard]] bool done() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

std::size_t size_of(const Value& value) {
  return value.is_number ? sizeof value.number : value.text.size();
}

}  // namespace

// The position of the index-th entry of that name, counted from the newest (or the oldest, negative); -1: none.
template <class Entry>
std::ptrdiff_t Variables::find(const std::vector<Entry>& entries, std::string_view name, int index) {
  const auto size = static_cast<std::ptrdiff_t>(entries.size());
  if (index >= 0) {
    for (std::ptrdiff_t i = size - 1; i >= 0; --i)
      if (entries[static_cast<std::size_t>(i)].name == name && index-- == 0) return i;
    return -1;
  }
  for (std::ptrdiff_t i = 0; i < size; ++i)
    if (entries[static_cast<std::size_t>(i)].name == name && ++index == 0) return i;
  return -1;
}

void Variables::clear() {
  avps_.clear();
  xavps_.clear();
}

bool Variables::fits(std::size_t more_bytes) const {
  std::size_t bytes = more_bytes, count = avps_.size();
  for (const auto& avp : avps_) bytes += avp.name.size() + size_of(avp.value);
  for (const auto& xavp : xavps_) {
    bytes += xavp.name.size();
    count += xavp.fields.size();
    for (const auto& [field, value] : xavp.fields) bytes += field.size() + size_of(value);
  }
  return bytes <= variables_bytes_max && count < variables_max;
}

const Value* Variables::avp(std::string_view name, int index) const {
  const auto at = find(avps_, name, index);
  return at < 0 ? nullptr : &avps_[static_cast<std::size_t>(at)].value;
}

std::size_t Variables::avp_count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count(avps_, name, &Avp::name));
}

bool Variables::push_avp(std::string_view name, Value value) {
  if (!fits(name.size() + size_of(value))) return false;
  avps_.push_back({std::string(name), std::move(value)});
  return true;
}

void Variables::remove_avp(std::string_view name, int index) {
  if (const auto at = find(avps_, name, index); at >= 0) avps_.erase(avps_.begin() + at);
}
void Variables::remove_avps(std::string_view name) {
  std::erase_if(avps_, [&](const Avp& avp) { return avp.name == name; });
}

const Value* Variables::xavp(std::string_view name, int index, std::string_view field) const {
  const auto at = find(xavps_, name, index);
  if (at < 0) return nullptr;
  for (const auto& [one, value] : xavps_[static_cast<std::size_t>(at)].fields)
    if (one == field) return &value;
  return nullptr;
}

bool Variables::has_xavp(std::string_view name, int index) const {
  return find(xavps_, name, index) >= 0;
}

bool Variables::push_xavp(std::string_view name, std::vector<std::pair<std::string, Value>> fields) {
  std::size_t bytes = name.size();
  for (const auto& [field, value] : fields) bytes += field.size() + size_of(value);
  if (!fits(bytes)) return false;
  xavps_.push_back({std::string(name), std::move(fields)});
  return true;
}

bool Variables::set_xavp(std::string_view name, int index, std::string_view field, Value value) {
  if (!fits(name.size() + field.size() + size_of(value))) return false;
  const auto at = find(xavps_, name, index);
  if (at < 0) {
    if (index != 0) return false;
    return push_xavp(name, {{std::string(field), std::move(value)}});
  }
  auto& fields = xavps_[static_cast<std::size_t>(at)].fields;
  for (auto& [one, old] : fields)
    if (one == field) {
      old = std::move(value);
      return true;
    }
  fields.emplace_back(field, std::move(value));
  return true;
}

void Variables::remove_xavp(std::string_view name, int index) {
  if (const auto at = find(xavps_, name, index); at >= 0) xavps_.erase(xavps_.begin() + at);
}
void Variables::remove_xavps(std::string_view name) {
  std::erase_if(xavps_, [&](const Xavp& xavp) { return xavp.name == name; });
}
void Variables::remove_xavp_field(std::string_view name, int index, std::string_view field) {
  if (const auto at = find(xavps_, name, index); at >= 0)
    std::erase_if(xavps_[static_cast<std::size_t>(at)].fields, [&](const auto& one) { return one.first == field; });
}

void Variables::encode(std::string& out) const {
  if (empty()) return;
  put(out, encoding_version);
  put(out, static_cast<std::uint16_t>(avps_.size()));
  for (const auto& avp : avps_) {
    put_text(out, avp.name);
    put_value(out, avp.value);
  }
  put(out, static_cast<std::uint16_t>(xavps_.size()));
  for (const auto& xavp : xavps_) {
    put_text(out, xavp.name);
    put(out, static_cast<std::uint16_t>(xavp.fields.size()));
    for (const auto& [field, value] : xavp.fields) {
      put_text(out, field);
      put_value(out, value);
    }
  }
}

bool Variables::decode(std::string_view bytes) {
  clear();
  if (bytes.empty()) return true;
  Reader reader(bytes);
  std::uint8_t version = 0;
  std::uint16_t count = 0;
  const auto all = [&] {
    if (!reader.number(version) || version != encoding_version || !reader.number(count)) return false;
    for (; count > 0; --count) {
      Avp& avp = avps_.emplace_back();
      if (!reader.text(avp.name) || !reader.value(avp.value)) return false;
    }
    if (!reader.number(count)) return false;
    for (; count > 0; --count) {
      Xavp& xavp = xavps_.emplace_back();
      std::uint16_t fields = 0;
      if (!reader.text(xavp.name) || !reader.number(fields)) return false;
      for (; fields > 0; --fields) {
        auto& [field, value] = xavp.fields.emplace_back();
        if (!reader.text(field) || !reader.value(value)) return false;
      }
    }
    return reader.done();
  };
  if (all()) return true;
  clear();
  return false;
}

}  // namespace perdure::script
