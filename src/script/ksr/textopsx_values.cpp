#include <charconv>
#include <optional>
#include <vector>

#include "base/case.hpp"
#include "script/ksr/header_edits.hpp"
#include "script/ksr/textops_changes.hpp"
#include "script/ksr/textopsx_parts.hpp"
#include "script/ksr/uri_access.hpp"
#include "script/vm.hpp"
#include "sip/chars.hpp"

namespace perdure::script {
namespace {

// What NAME[INDEX].PARAMETER means.
struct Target {
  std::string_view name, parameter;
  int index = 0;  // from 1, negative from the last; 0: none is given
  bool all = false;
};

// One value of a header, or a whole line.
struct Piece {
  std::uint32_t begin = 0, end = 0;
  const sip::HeaderField* field = nullptr;
  std::optional<sip::Value> value;  // none: it is a whole line
};

// nullopt after call.fail().
std::optional<Target> target(Call& call) {
  const std::string_view text = sip::chars::trim(call.text(0));
  Target result;
  std::string_view rest = text;
  const std::size_t name_end = rest.find_first_of("[.");
  result.name = sip::chars::trim(rest.substr(0, name_end));
  rest = name_end == std::string_view::npos ? std::string_view{} : rest.substr(name_end);
  bool good = !result.name.empty() && sip::chars::all(result.name, sip::chars::token);
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    good = good && close != std::string_view::npos;
    const std::string_view index = good ? sip::chars::trim(rest.substr(1, close - 1)) : std::string_view{};
    if (index == "*") {
      result.all = true;
    } else {
      const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), result.index);
      good = good && error == std::errc{} && end == index.data() + index.size();
    }
    if (good) rest = sip::chars::trim(rest.substr(close + 1));
  }
  if (good && rest.starts_with('.')) {
    result.parameter = sip::chars::trim(rest.substr(1));
    good = !result.parameter.empty() && sip::chars::all(result.parameter, sip::chars::token);
  } else {
    good = good && rest.empty();
  }
  if (good && !is_needed(sip::header_name_from(result.name))) return result;
  (void)call.fail(good ? "not of " + std::string(result.name) : "\"" + std::string(text) + "\" is no NAME[INDEX].PARAMETER");
  return std::nullopt;
}

std::vector<Piece> pieces_of(Call& call, std::string_view name, bool lines) {
  std::vector<Piece> pieces;
  const auto& message = call.message();
  for (int i = 0; const auto* field = header_at(message, name, i); ++i) {
    if (lines) {
      pieces.push_back({field->value_begin, field->value_end, field, std::nullopt});
    } else {
      for (const auto& value : sip::ValueRange(message.bytes(), {field, 1}, field->name))
        pieces.push_back({value.begin, value.end, field, value});
    }
  }
  return pieces;
}

// Those that the index means, `otherwise` if it gives none.
std::vector<Piece> chosen(Call& call, const Target& target, int otherwise, bool lines) {
  auto pieces = pieces_of(call, target.name, lines);
  if (target.all) return pieces;
  const auto count = static_cast<std::int64_t>(pieces.size());
  const std::int64_t wanted = target.index ? target.index : otherwise;
  const std::int64_t index = wanted > 0 ? wanted - 1 : count + wanted;
  if (index < 0 || index >= count) return {};
  return {pieces[static_cast<std::size_t>(index)]};
}

int new_header(Call& call, const Target& target) {
  return append_header(call, std::string(target.name) + ": " + std::string(call.text(1)));
}

void insert_at(Call& call, std::uint32_t offset, const std::string& text) {
  call.context().edits->replace_range(offset, offset, text);
}

// Where a parameter stands in a value.
struct Found {
  std::uint32_t begin = 0, end = 0;  // with what separates it from the others
  std::uint32_t value_begin = 0;     // "=value", empty if it has none
};

// "…;name=value": behind the URI or what stands for it. The end of the parameters where there is none of that name.
std::optional<Found> find_parameter(std::string_view bytes, const Piece& piece, std::string_view name, std::uint32_t& end_of_all) {
  std::uint32_t at = piece.begin;
  bool quoted = false;
  for (int angle = 0; at < piece.end && (quoted || angle || bytes[at] != ';'); ++at) {
    if (bytes[at] == '"' && (at == piece.begin || bytes[at - 1] != '\\')) quoted = !quoted;
    if (!quoted && bytes[at] == '<') angle = 1;
    if (!quoted && bytes[at] == '>') angle = 0;
  }
  end_of_all = piece.end;
  while (at < piece.end) {
    const std::uint32_t begin = at++;
    quoted = false;
    while (at < piece.end && (quoted || bytes[at] != ';')) {
      if (bytes[at] == '"' && bytes[at - 1] != '\\') quoted = !quoted;
      ++at;
    }
    const std::string_view text = bytes.substr(begin + 1, at - begin - 1);
    const std::size_t equals = text.find('=');
    if (!equals_ignore_case(sip::chars::trim(text.substr(0, equals)), name)) continue;
    const auto value = equals == std::string_view::npos ? at : static_cast<std::uint32_t>(begin + 1 + equals);
    return Found{begin, at, value};
  }
  return std::nullopt;
}

// "Digest name=value, name=value"
std::optional<Found> find_listed_parameter(std::string_view bytes, const Piece& piece, std::string_view name, std::uint32_t& end_of_all) {
  end_of_all = piece.end;
  std::uint32_t at = piece.begin;
  const std::string_view whole = bytes.substr(piece.begin, piece.end - piece.begin);
  const std::size_t scheme = whole.find_first_of(" \t=,");
  if (scheme != std::string_view::npos && whole[scheme] != '=' && whole[scheme] != ',') at += static_cast<std::uint32_t>(scheme) + 1;
  const std::uint32_t first = at;
  while (at < piece.end) {
    const std::uint32_t begin = at;
    bool quoted = false;
    while (at < piece.end && (quoted || bytes[at] != ',')) {
      if (bytes[at] == '"' && bytes[at - 1] != '\\') quoted = !quoted;
      ++at;
    }
    const std::string_view text = bytes.substr(begin, at - begin);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals_ignore_case(sip::chars::trim(text.substr(0, equals)), name)) {
      const auto value = static_cast<std::uint32_t>(begin + equals);
      if (begin > first) return Found{begin - 1, at, value};     // with the comma before it
      return Found{begin, at < piece.end ? at + 1 : at, value};  // the first one: with the comma behind it
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace

// (name, value): adds it to the first header of that name unless one has it.
int include_header_value(Call& call) {
  if (call.text(1).empty() || !is_one_line(call.text(1))) return call.fail("a value is one line");
  const auto pieces = pieces_of(call, call.text(0), false);
  for (const auto& piece : pieces)
    if (equals_ignore_case(piece.value->text, call.text(1))) return 1;
  const auto* first = header_at(call.message(), call.text(0), 0);
  if (!first) return append_header(call, std::string(call.text(0)) + ": " + std::string(call.text(1)));
  if (is_needed(first->name)) return call.fail("not of " + std::string(call.text(0)));
  insert_at(call, first->value_end, (first->value_begin == first->value_end ? "" : ",") + std::string(call.text(1)));
  return 1;
}

// Without an index: a header of its own.
int append_header_value(Call& call) {
  const auto wanted = target(call);
  if (!wanted) return -1;
  if (!is_one_line(call.text(1)) || wanted->all || !wanted->parameter.empty())
    return call.fail("it takes NAME or NAME[INDEX], and a value");
  const auto pieces = wanted->index ? chosen(call, *wanted, -1, false) : std::vector<Piece>{};
  if (pieces.empty()) return new_header(call, *wanted);
  insert_at(call, pieces.front().end, "," + std::string(call.text(1)));
  return 1;
}

// Without an index: a header of its own, before the first of that name.
int insert_header_value(Call& call) {
  const auto wanted = target(call);
  if (!wanted) return -1;
  if (!is_one_line(call.text(1)) || wanted->all || !wanted->parameter.empty())
    return call.fail("it takes NAME or NAME[INDEX], and a value");
  const auto pieces = chosen(call, *wanted, 1, false);
  if (pieces.empty()) return new_header(call, *wanted);
  if (!wanted->index) {
    call.context().edits->insert_line_before(*pieces.front().field, std::string(wanted->name) + ": " + std::string(call.text(1)) + "\r\n");
    return 1;
  }
  insert_at(call, pieces.front().begin, std::string(call.text(1)) + ",");
  return 1;
}

int assign_header_value(Call& call, bool lines) {
  const auto wanted = target(call);
  if (!wanted) return -1;
  if (!is_one_line(call.text(1))) return call.fail("a value is one line");
  if (wanted->all && wanted->parameter.empty()) return call.fail("[*] needs a parameter");
  const auto pieces = chosen(call, *wanted, 1, lines);
  const std::string_view bytes = call.message().bytes();
  auto& edits = *call.context().edits;
  for (const auto& piece : pieces) {
    if (wanted->parameter.empty()) {
      edits.replace_range(piece.begin, piece.end, call.text(1));
      continue;
    }
    std::uint32_t end = 0;
    const auto found =
        lines ? find_listed_parameter(bytes, piece, wanted->parameter, end) : find_parameter(bytes, piece, wanted->parameter, end);
    const std::string value = call.text(1).empty() ? std::string() : "=" + std::string(call.text(1));
    if (found) {
      std::uint32_t value_end = found->end;
      if (lines && value_end > found->value_begin && bytes[value_end - 1] == ',') --value_end;
      edits.replace_range(found->value_begin, value_end, value);
    } else {
      insert_at(call, end, (lines ? "," : ";") + std::string(wanted->parameter) + value);
    }
  }
  return pieces.empty() ? -1 : 1;
}

int remove_header_value(Call& call, bool lines) {
  const auto wanted = target(call);
  if (!wanted) return -1;
  const std::string_view bytes = call.message().bytes();
  auto& edits = *call.context().edits;
  int result = -1;
  for (const auto& piece : chosen(call, *wanted, 1, lines)) {
    if (!wanted->parameter.empty()) {
      std::uint32_t end = 0;
      const auto found =
          lines ? find_listed_parameter(bytes, piece, wanted->parameter, end) : find_parameter(bytes, piece, wanted->parameter, end);
      if (!found) continue;
      edits.replace_range(found->begin, found->end, {});
    } else if (piece.value) {
      edits.remove_value(*piece.value);
    } else {
      edits.remove(*piece.field);
    }
    result = 1;
  }
  return result;
}

}  // namespace perdure::script
