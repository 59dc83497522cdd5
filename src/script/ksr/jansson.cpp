// KSR.jansson: values in JSON documents.
#include <fmt/format.h>
#include <jansson.h>

#include <climits>
#include <memory>
#include <optional>

#include "base/logging.hpp"
#include "base/text_file.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

struct Release {
  void operator()(json_t* json) const { json_decref(json); }
};
using Json = std::unique_ptr<json_t, Release>;

constexpr std::size_t document_bytes_max = 1U << 20;

Json parsed(std::string_view text) {
  json_error_t error;
  if (text.size() > document_bytes_max) return nullptr;
  return Json(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, &error));
}

// One step of a path: "name" or "[3]".
struct Step {
  std::string_view name;
  std::optional<std::size_t> index;
};

// Takes the first step off "a.b[0].c"; nullopt: it is malformed.
std::optional<Step> take_step(std::string_view& path) {
  if (path.starts_with('[')) {
    const std::size_t end = path.find(']');
    if (end == path.npos) return std::nullopt;
    const auto index = number_from<std::size_t>(path.substr(1, end - 1));
    path.remove_prefix(end + 1);
    if (!index || (!path.empty() && path.front() != '.' && path.front() != '[')) return std::nullopt;
    if (path.starts_with('.')) path.remove_prefix(1);
    return Step{{}, index};
  }
  const std::size_t end = std::min(path.find_first_of(".["), path.size());
  const Step step{path.substr(0, end), std::nullopt};
  path.remove_prefix(end);
  if (path.starts_with('.')) path.remove_prefix(1);
  return step;
}

json_t* member(json_t* parent, const Step& step) {
  if (!step.index) return json_object_getn(parent, step.name.data(), step.name.size());
  return json_array_get(parent, *step.index);
}

// Null: there is no such value. An empty path is the document.
json_t* find(json_t* document, std::string_view path) {
  while (!path.empty() && document) {
    const auto step = take_step(path);
    document = step ? member(document, *step) : nullptr;
  }
  return document;
}

std::string dumped(const json_t* json) {
  const std::unique_ptr<char, decltype(&std::free)> text(json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER), &std::free);
  return text ? text.get() : std::string();
}

// What a variable gets; nullopt: null.
std::optional<Value> value_of(const json_t* json) {
  switch (json_typeof(json)) {
    case JSON_NULL:
      return std::nullopt;
    case JSON_TRUE:
      return Value::of(std::int64_t{1});
    case JSON_FALSE:
      return Value::of(std::int64_t{0});
    case JSON_INTEGER: {
      const std::int64_t number = json_integer_value(json);
      // As in Kamailio, whose numbers were of 32 bits.
      return number >= INT_MIN && number <= INT_MAX ? Value::of(number) : Value::of(std::string_view(std::to_string(number)));
    }
    case JSON_REAL:
      return Value::of(std::string_view(fmt::format("{:.15g}", json_real_value(json))));
    case JSON_STRING:
      return Value::of(std::string_view(json_string_value(json), json_string_length(json)));
    default:
      return Value::of(std::string_view(dumped(json)));
  }
}

// Null after call.fail().
const PseudoVariable* variable(Call& call, std::size_t argument) {
  std::string error;
  const auto* found = call.vm.pseudo_variable(call.text(argument), error);
  if (!found) (void)call.fail(std::move(error));
  return found;
}

int give(Call& call, std::size_t argument, const std::optional<Value>& value) {
  const auto* to = variable(call, argument);
  return to && set_value(call, *to, value ? &*value : nullptr) ? 1 : -1;
}

int get(Call& call, std::size_t path, std::size_t document) {
  const Json json = parsed(call.text(document));
  const json_t* const found = json ? find(json.get(), call.text(path)) : nullptr;
  return found ? give(call, 2, value_of(found)) : -1;
}

int array_size(Call& call) {
  const Json json = parsed(call.text(1));
  const json_t* const found = json ? find(json.get(), call.text(0)) : nullptr;
  if (!json_is_array(found)) return -1;
  return give(call, 2, Value::of(static_cast<std::int64_t>(json_array_size(found))));
}

// A new value of that type; null: the text is none.
Json made(std::string_view type, std::string_view text) {
  if (type == "object" || type == "obj" || type == "array") {
    Json json = parsed(text);
    return (type == "array" ? json_is_array(json.get()) : json_is_object(json.get())) ? std::move(json) : nullptr;
  }
  if (type == "string" || type == "str") return Json(json_stringn(text.data(), text.size()));
  if (type == "integer" || type == "int") {
    const auto number = number_from<std::int64_t>(text);
    return Json(number ? json_integer(*number) : nullptr);
  }
  if (type == "real") {
    const auto number = number_from<double>(text);
    return Json(number ? json_real(*number) : nullptr);
  }
  if (type == "true") return Json(json_true());
  if (type == "false") return Json(json_false());
  return Json(type == "null" ? json_null() : nullptr);
}

bool append_to(json_t* target, json_t* value) {
  if (json_is_array(target)) return json_array_append(target, value) == 0;
  return json_is_object(target) && json_is_object(value) && json_object_update(target, value) == 0;
}

// Objects on the way are made if they are missing; arrays and their elements are not.
bool put(json_t* document, std::string_view path, json_t* value, bool append) {
  json_t* at = document;
  while (true) {
    // "[0]", the end, or a dot at the end: here.
    if (path.empty()) return append && append_to(at, value);
    const bool last_dot = path.ends_with('.');
    auto step = take_step(path);
    if (!step || (!step->index && step->name.empty())) return false;
    json_t* const next = member(at, *step);
    if (path.empty() && !last_dot) {
      if (append) return next && append_to(next, value);
      if (step->index) return json_is_array(at) && *step->index < json_array_size(at) && json_array_set(at, *step->index, value) == 0;
      return json_is_object(at) && json_object_setn(at, step->name.data(), step->name.size(), value) == 0;
    }
    if (next) {
      at = next;
      continue;
    }
    if (step->index || !json_is_object(at) || path.starts_with('[')) return false;
    if (json_object_setn_new(at, step->name.data(), step->name.size(), json_object()) != 0) return false;
    at = member(at, *step);
  }
}

int set(Call& call, bool append) {
  const auto* to = variable(call, 3);
  if (!to) return -1;
  const auto given = script::value_of(call, *to);
  const std::string text(given.kind == VariableValue::Kind::Text ? given.text : std::string_view("{}"));
  const Json document = parsed(text), value = made(call.text(0), call.text(2));
  if (!document || !value || !put(document.get(), call.text(1), value.get(), append)) return -1;
  const Value changed = Value::of(std::string_view(dumped(document.get())));
  return set_value(call, *to, &changed) ? 1 : -1;
}

constexpr std::string_view more = "There in Kamailio's own language only.";

const Function table[] = {
    {"jansson", "get", "string path, string document, string variable", Returns::Integer, routes::any,
     "Sets a variable to the value at a path, `a.b[0].c`; an empty path is the document. Objects and arrays are given as text, true and "
     "false "
     "as 1 and 0. -1: there is no such value, or no JSON.",
     "", [](Call& call) { return get(call, 0, 1); }},
    {"jansson", "get_field", "string document, string path, string variable", Returns::Integer, routes::any,
     "The same with the document first.", more, [](Call& call) { return get(call, 1, 0); }},
    {"jansson", "array_size", "string path, string document, string variable", Returns::Integer, routes::any,
     "Sets a variable to the number of elements of the array at a path.", more, array_size},
    {"jansson", "set", "string type, string path, string value, string variable", Returns::Integer, routes::any,
     "Sets the value at a path of the document in a variable; without one it is `{}`. Types: object, array, string, integer, real, true, "
     "false, null.",
     more, [](Call& call) { return set(call, false); }},
    {"jansson", "append", "string type, string path, string value, string variable", Returns::Integer, routes::any,
     "Appends to the array, or adds the members to the object, at a path of the document in a variable.", more,
     [](Call& call) { return set(call, true); }},
};

}  // namespace

std::span<const Function> jansson_functions() {
  return table;
}

}  // namespace perdure::script
