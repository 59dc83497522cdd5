#include "script/regex_cache.hpp"

#include <algorithm>
#include <utility>

#include "base/posix_regex.hpp"

namespace perdure::script {

const regex_t* RegexCache::compiled(std::string_view pattern, Lines lines) {
  std::string key(1, lines == Lines::Yes ? 'l' : ' ');
  key += pattern;
  auto found = patterns_.find(key);
  if (found == patterns_.end()) {
    if (patterns_.size() >= patterns_max) patterns_.clear();
    auto* raw = new regex_t;
    std::unique_ptr<regex_t, Free> regex;
    if (compile_posix(*raw, std::string(pattern), REG_ICASE | (lines == Lines::Yes ? REG_NEWLINE : 0)))
      regex.reset(raw);
    else
      delete raw;
    found = patterns_.emplace(std::move(key), std::move(regex)).first;
  }
  return found->second.get();
}

RegexCache::Match RegexCache::match(std::string_view pattern, std::string_view text, Lines lines) {
  const regex_t* regex = compiled(pattern, lines);
  if (!regex) return Match::BadPattern;
  // REG_STARTEND: the text is not terminated, and may hold a NUL.
  regmatch_t range{0, static_cast<regoff_t>(text.size())};
  return regexec(regex, text.data(), 1, &range, REG_STARTEND) == 0 ? Match::Yes : Match::No;
}

RegexCache::Match RegexCache::find(std::string_view pattern, std::string_view text, std::size_t from, Lines lines,
                                   std::span<Group> groups) {
  const regex_t* regex = compiled(pattern, lines);
  if (!regex) return Match::BadPattern;
  regmatch_t found[groups_max];
  found[0] = {static_cast<regoff_t>(from), static_cast<regoff_t>(text.size())};
  const int flags = REG_STARTEND | (from > 0 && (lines == Lines::No || text[from - 1] != '\n') ? REG_NOTBOL : 0);
  if (from > text.size() || regexec(regex, text.data(), groups_max, found, flags) != 0) return Match::No;
  for (std::size_t i = 0; i < std::min(groups.size(), groups_max); ++i) groups[i] = {found[i].rm_so, found[i].rm_eo};
  return Match::Yes;
}

}  // namespace perdure::script
