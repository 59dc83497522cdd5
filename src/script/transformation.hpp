#pragma once
// Kamailio's transformations, {s.len} or {uri.param,x}: what they are called, what they take, what they do.
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "script/pseudo_variable.hpp"

namespace perdure::script {

// One application of a transformation.
class Step {
 public:
  Step(Call& run, const Transformation& which, const VariableValue& value, std::span<const VariableValue> parameters, std::string& out)
      : call(run), transformation(which), input(value), out_(out), parameters_(parameters) {}

  Call& call;
  const Transformation& transformation;
  const VariableValue input;

  // The value as text; a number in digits.
  [[nodiscard]] std::string_view text();
  // False: the value is a number or empty, which those of URIs and the like do not take.
  [[nodiscard]] bool has_text() const { return input.kind == VariableValue::Kind::Text && !input.text.empty(); }

  [[nodiscard]] std::size_t count() const { return parameters_.size(); }
  [[nodiscard]] std::string_view parameter(std::size_t index) const { return parameters_[index].text; }
  [[nodiscard]] std::int64_t number(std::size_t index) const { return parameters_[index].number; }

  // Builds the result; what goes beyond transformed_bytes_max makes it null.
  void put(std::string_view piece);
  void put(char c) { put(std::string_view(&c, 1)); }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] VariableValue built() const { return full_ ? VariableValue{} : VariableValue::of(std::string_view(out_)); }

 private:
  std::string& out_;
  std::span<const VariableValue> parameters_;
  char digits_[24];
  bool full_ = false;
};

// One row of the tables. Parameters: 'n' a number, 's' a text that ends at a comma, 'm' a text that may be one comma, 'c' one character
// that may be escaped (\n, \t, \s any whitespace), 'e' a sed-like expression; from a '?' on they may be left out.
struct TransformationClass {
  std::string_view name;  // "s.len"
  std::string_view parameters;
  std::string_view text;  // for the reference
  VariableValue (*apply)(Step& step) = nullptr;
  bool takes_null = false;
};

[[nodiscard]] std::span<const TransformationClass> string_transformations();
[[nodiscard]] std::span<const TransformationClass> encoding_transformations();
[[nodiscard]] std::span<const TransformationClass> sip_transformations();
[[nodiscard]] std::span<const TransformationClass> list_transformations();
[[nodiscard]] std::span<const TransformationClass> regex_transformations();
[[nodiscard]] std::span<const std::span<const TransformationClass>> transformation_tables();

// Takes "{class.name,…}" off the front of `text`.
[[nodiscard]] Result<Transformation> take_transformation(std::string_view& text, unsigned depth);

// A sed-like expression, "/expression/replacement/flags": POSIX extended; flags g all, i without case, s one line. The replacement knows \0
// to \9, \n, \r, \t and variables.
class Substitution {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const Substitution>> compile(std::string_view text, unsigned depth = 0);
  ~Substitution();
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

  // How many times it matched, -1: it matched nothing at all, which would go on for ever. Calls back with where each match begins and ends
  // and what is to stand there.
  template <class Each>
  int run(Call& call, std::string_view text, std::string& replacement, Each each) const {
    int matches = 0;
    for (Match match; next(text, match);) {
      if (match.begin == match.end) return -1;
      replacement.clear();
      replace(call, text, match, replacement);
      each(match.begin, match.end, std::string_view(replacement));
      ++matches;
      if (!all_) break;
    }
    return matches;
  }

 private:
  static constexpr std::size_t groups_max = 10;
  struct Match {
    std::size_t begin = 0, end = 0;
    bool any = false;
    std::pair<std::ptrdiff_t, std::ptrdiff_t> groups[groups_max];
  };
  struct Piece {
    std::string text;
    int group = -1;
    PseudoVariable variable;
  };
  Substitution() = default;
  [[nodiscard]] bool next(std::string_view text, Match& match) const;
  void replace(Call& call, std::string_view text, const Match& match, std::string& out) const;

  struct Regex;
  std::unique_ptr<Regex> regex_;
  std::vector<Piece> pieces_;
  bool all_ = false;
};

}  // namespace perdure::script
