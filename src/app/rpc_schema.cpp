#include "app/rpc_schema.hpp"

#include <fmt/format.h>

#include "base/text_file.hpp"

namespace perdure::app {
namespace {

using admin::Json;

std::string_view schema_type(std::string_view written) {
  return written == "any" ? std::string_view{} : written.empty() ? std::string_view("string") : written;
}

}  // namespace

std::vector<RpcParameter> rpc_parameters(const RpcMethod& method) {
  std::vector<RpcParameter> parameters;
  std::string_view rest = method.parameters;
  for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
    RpcParameter parameter;
    constexpr std::string_view more = "…";
    if (word.ends_with(more)) {
      parameter.repeated = true;
      word.remove_suffix(more.size());
    }
    parameter.required = !word.starts_with('[');
    while (word.starts_with('[')) word.remove_prefix(1);
    while (word.ends_with(']')) word.remove_suffix(1);
    const auto colon = word.find(':');
    parameter.name = word.substr(0, colon);
    parameter.type = schema_type(colon == word.npos ? std::string_view{} : word.substr(colon + 1));
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

std::string parameters_text(const RpcMethod& method) {
  std::string text;
  for (const auto& one : rpc_parameters(method))
    text += fmt::format("{}{}{}{}{}", text.empty() ? "" : " ", one.required ? "" : "[", one.name, one.required ? "" : "]",
                        one.repeated ? "…" : "");
  return text;
}

Json rpc_schema(const RpcMethod& method) {
  Json parameters = Json::array();
  for (const auto& one : rpc_parameters(method)) {
    Json schema = Json::object();
    if (!one.type.empty()) schema["type"] = one.type;
    Json parameter = {{"name", one.name}, {"required", one.required}, {"schema", std::move(schema)}};
    if (one.repeated) parameter["x-repeated"] = true;
    parameters.push_back(std::move(parameter));
  }
  return {{"name", method.name},
          {"summary", method.text},
          {"paramStructure", "either"},
          {"params", std::move(parameters)},
          {"result", {{"name", "result"}, {"schema", Json::object()}}},
          {"x-changes", method.changes}};
}

Json rpc_document() {
  Json methods = Json::array();
  for (const auto& method : rpc_methods()) methods.push_back(rpc_schema(method));
  return {{"openrpc", "1.2.6"}, {"info", {{"title", "Perdure"}, {"version", PERDURE_VERSION}}}, {"methods", std::move(methods)}};
}

std::string rpc_reference() {
  std::string out =
      "# RPC methods\n\n"
      "JSON-RPC 2.0 on the control socket (a request or a batch per line, an answer per line) and by `POST /rpc` of the HTTP address\n"
      "(`admin.http`, content type application/json, `Authorization: Bearer …`). Parameters are given by position or by name; what stands "
      "in\n"
      "brackets may be left out. A request has at most 1 MiB and 32 levels, a batch at most 100 requests. Methods have the names that "
      "Kamailio\n"
      "gives them where it has them. `system.methodSchema` says all of this to programs, as OpenRPC.\n\n"
      "Each call of a method with a mark in the column *changes* is logged with who asked (user and process, or address) and how it "
      "ended.\n\n"
      "This page is written by `perdure methods`, from the table that the server uses.\n\n"
      "| method | parameters | changes | what it does |\n| --- | --- | --- | --- |\n";
  for (const auto& method : rpc_methods()) {
    const auto parameters = parameters_text(method);
    out += fmt::format("| `{}` | {} | {} | {} |\n", method.name, parameters.empty() ? "" : fmt::format("`{}`", parameters),
                       method.changes ? "x" : "", method.text);
  }
  return out;
}

}  // namespace perdure::app
