// The variables of a transaction as bytes.
#include "base/byte_codec.hpp"
#include "script/variables.hpp"

namespace perdure::script {
namespace {

// version; count of AVPs; each: name, value; count of XAVPs; each: tree, name, 1 and its value or 0, count of fields, fields. A value is 1
// and 8 bytes or 0 and a text. Texts have a 2-byte length, numbers are little endian. Version 1, which is still read, had neither tree nor
// value.
constexpr std::uint8_t encoding_version = 2;

using Length = std::uint16_t;

void put_value(std::string& out, const Value& value) {
  put_number(out, static_cast<std::uint8_t>(value.is_number));
  if (value.is_number)
    put_number(out, value.number);
  else
    put_text<Length>(out, value.text);
}

class Reader : public ByteReader<Length> {
 public:
  using ByteReader::ByteReader;
  bool value(Value& value) {
    std::uint8_t is_number = 0;
    if (!number(is_number) || is_number > 1) return false;
    value.is_number = is_number != 0;
    return value.is_number ? number(value.number) : text(value.text);
  }
  bool xavp(Xavp& xavp, std::uint8_t version) {
    std::uint8_t tree = 0, has_value = 0;
    std::uint16_t fields = 0;
    if (version > 1 && (!number(tree) || tree > static_cast<std::uint8_t>(Tree::Xavi))) return false;
    xavp.tree = static_cast<Tree>(tree);
    if (!text(xavp.name)) return false;
    if (version > 1 && (!number(has_value) || has_value > 1)) return false;
    if (has_value && !value(xavp.value.emplace())) return false;
    if (!number(fields)) return false;
    for (; fields > 0; --fields) {
      auto& [field, value_of_field] = xavp.fields.emplace_back();
      if (!text(field) || !value(value_of_field)) return false;
    }
    return true;
  }
};

}  // namespace

void Variables::encode(std::string& out) const {
  if (empty()) return;
  put_number(out, encoding_version);
  put_number(out, static_cast<std::uint16_t>(avps_.size()));
  for (const auto& avp : avps_) {
    put_text<Length>(out, avp.name);
    put_value(out, avp.value);
  }
  put_number(out, static_cast<std::uint16_t>(xavps_.size()));
  for (const auto& xavp : xavps_) {
    put_number(out, static_cast<std::uint8_t>(xavp.tree));
    put_text<Length>(out, xavp.name);
    put_number(out, static_cast<std::uint8_t>(xavp.value.has_value()));
    if (xavp.value) put_value(out, *xavp.value);
    put_number(out, static_cast<std::uint16_t>(xavp.fields.size()));
    for (const auto& [field, value] : xavp.fields) {
      put_text<Length>(out, field);
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
    if (!reader.number(version) || version == 0 || version > encoding_version || !reader.number(count)) return false;
    for (; count > 0; --count) {
      Avp& avp = avps_.emplace_back();
      if (!reader.text(avp.name) || !reader.value(avp.value)) return false;
    }
    if (!reader.number(count)) return false;
    for (; count > 0; --count)
      if (!reader.xavp(xavps_.emplace_back(), version)) return false;
    return reader.done();
  };
  if (all()) return true;
  clear();
  return false;
}

}  // namespace perdure::script
