#include "script/regex_cache.hpp"

namespace perdure::script {

RegexCache::Match RegexCache::match(std::string_view pattern, std::string_view text) {
  auto found = patterns_.find(std::string(pattern));
  if (found == patterns_.end()) {
    if (patterns_.size() >= patterns_max) patterns_.clear();
    auto* raw = new regex_t;
    std::unique_ptr<regex_t, Free> regex;
    if (regcomp(raw, std::string(pattern).c_str(), REG_EXTENDED | REG_ICASE) == 0)
      regex.reset(raw);
    else
      delete raw;
    found = patterns_.emplace(pattern, std::move(regex)).first;
  }
  if (!found->second) return Match::BadPattern;
  // REG_STARTEND: the text is not terminated, and may hold a NUL.
  regmatch_t range{0, static_cast<regoff_t>(text.size())};
  return regexec(found->second.get(), text.data(), 1, &range, REG_STARTEND) == 0 ? Match::Yes : Match::No;
}

}  // namespace perdure::script
