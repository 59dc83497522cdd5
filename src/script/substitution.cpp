// Sed-like expressions on POSIX regular expressions, as Kamailio's subst functions and {re.subst} have them.
#include <regex.h>

#include "base/posix_regex.hpp"
#include "script/transformation.hpp"

namespace perdure::script {

struct Substitution::Regex {
  regex_t regex;
  bool compiled = false;
  ~Regex() {
    if (compiled) regfree(&regex);
  }
};

Substitution::~Substitution() = default;

namespace {

// Where the next `delimiter` is that no backslash escapes; npos: nowhere.
std::size_t find_delimiter(std::string_view text, char delimiter) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == delimiter)
      return i;
  }
  return std::string_view::npos;
}

// An escaped delimiter is the character itself.
std::string without_escaped(std::string_view text, char delimiter) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      if (text[i + 1] != delimiter) out += '\\';
      ++i;
    }
    out += text[i];
  }
  return out;
}

bool begins_variable(std::string_view text) {
  if (text.size() < 2) return false;
  const char c = text[1];
  return c == '(' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

Result<std::shared_ptr<const Substitution>> Substitution::compile(std::string_view text, unsigned depth) {
  const auto bad = [whole = std::string(text)](const std::string& why) { return fail("\"" + whole + "\" " + why); };
  if (text.size() < 3 || text.front() == '\\') return bad("is no /expression/replacement/flags");
  const char delimiter = text.front();
  text.remove_prefix(1);
  const std::size_t first = find_delimiter(text, delimiter);
  const std::size_t second = first == std::string_view::npos ? first : find_delimiter(text.substr(first + 1), delimiter);
  if (second == std::string_view::npos) return bad("is no /expression/replacement/flags");
  std::shared_ptr<Substitution> result(new Substitution());

  int flags = REG_NEWLINE;
  for (const char flag : text.substr(first + second + 2)) {
    if (flag == 'i')
      flags |= REG_ICASE;
    else if (flag == 'g')
      result->all_ = true;
    else if (flag == 's')
      flags &= ~REG_NEWLINE;
    else if (flag != ' ')
      return bad("has an unknown flag");
  }
  result->regex_ = std::make_unique<Regex>();
  const std::string expression = without_escaped(text.substr(0, first), delimiter);
  if (!compile_posix(result->regex_->regex, expression, flags)) return bad("has a bad regular expression");
  result->regex_->compiled = true;

  std::string_view replacement = text.substr(first + 1, second);
  std::string plain;
  const auto end_plain = [&] {
    if (plain.empty()) return;
    result->pieces_.emplace_back().text = std::move(plain);
    plain.clear();
  };
  while (!replacement.empty()) {
    const char c = replacement.front();
    if (c == '\\' && replacement.size() > 1) {
      const char next = replacement[1];
      replacement.remove_prefix(2);
      if (next >= '0' && next <= '9') {
        end_plain();
        result->pieces_.emplace_back().group = next - '0';
      } else {
        plain += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next;
      }
    } else if (begins_variable(replacement) && c == '$') {
      auto variable = PseudoVariable::take(replacement, depth);
      if (!variable) return std::unexpected(variable.error());
      end_plain();
      result->pieces_.emplace_back().variable = std::move(*variable);
    } else {
      plain += c;
      replacement.remove_prefix(1);
    }
  }
  end_plain();
  return result;
}

bool Substitution::next(std::string_view text, Match& match) const {
  const std::size_t from = match.any ? match.end : 0;
  if (match.any && from >= text.size()) return false;
  regmatch_t groups[groups_max];
  groups[0] = {static_cast<regoff_t>(from), static_cast<regoff_t>(text.size())};
  const int flags = REG_STARTEND | (from > 0 && text[from - 1] != '\n' ? REG_NOTBOL : 0);
  if (regexec(&regex_->regex, text.data(), groups_max, groups, flags) != 0) return false;
  match.any = true;
  match.begin = static_cast<std::size_t>(groups[0].rm_so);
  match.end = static_cast<std::size_t>(groups[0].rm_eo);
  for (std::size_t i = 0; i < groups_max; ++i) match.groups[i] = {groups[i].rm_so, groups[i].rm_eo};
  return true;
}

void Substitution::replace(Call& call, std::string_view text, const Match& match, std::string& out) const {
  for (const auto& piece : pieces_) {
    if (piece.variable.variable_class) {
      append_value(out, value_of(call, piece.variable));
    } else if (piece.group < 0) {
      out += piece.text;
    } else if (const auto [begin, end] = match.groups[piece.group]; begin >= 0) {
      out += text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    }
  }
}

}  // namespace perdure::script
