// Requests of any text: exactly one answer, of the shape that JSON-RPC 2.0 gives it, whatever the methods do.
#include <stdexcept>
#include <string>
#include <vector>

#include "admin/json_rpc.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure::admin;
using perdure::fuzz::expect;

// Methods of every kind; those that answer later are answered when the text has been dispatched.
struct Methods {
  MethodTable table;
  std::vector<std::pair<Json, MethodTable::Done>> waiting;

  explicit Methods(bool with_other) {
    table.add("echo", [](const Json& params) { return params; });
    table.add("named", [](const Json& params) -> RpcResult {
      return Json{{"first", parameter(params, 0, "first")}, {"second", parameter(params, 1, "second")}};
    });
    table.add("fail", [](const Json&) -> RpcResult { return rpc_fail("it cannot be done"); });
    table.add("typed", [](const Json& params) -> RpcResult { return parameter(params, 0, "text").get<std::string>(); });
    table.add("throw", [](const Json&) -> RpcResult { throw std::runtime_error("by mistake"); });
    table.add_late("late", [this](Json params, MethodTable::Done done) { waiting.emplace_back(std::move(params), std::move(done)); });
    table.add_late("never", [](const Json&, const MethodTable::Done&) {});
    table.add_late("twice", [](const Json&, const MethodTable::Done& done) {
      done(Json(1));
      done(Json(2));
    });
    if (with_other)
      table.set_other([this](const std::string& method, Json params, MethodTable::Done done) {
        if (method.size() % 2 != 0) return done(Json(method));
        waiting.emplace_back(std::move(params), std::move(done));
      });
  }
  void answer_late() {
    while (!waiting.empty()) {
      auto [params, done] = std::move(waiting.back());
      waiting.pop_back();
      done(params.empty() ? RpcResult(rpc_fail("too late")) : RpcResult(params));
    }
  }
};

// Section 5: version, id, and either a result or an error with code and message.
void check_response(const Json& response) {
  expect(response.is_object() && response.size() == 3, "an answer of another shape");
  expect(response.value("jsonrpc", "") == "2.0" && response.contains("id"), "an answer without version or id");
  const Json& id = response["id"];
  expect(id.is_null() || id.is_string() || id.is_number(), "an id of another type");
  expect(response.contains("result") != response.contains("error"), "both a result and an error, or none");
  if (!response.contains("error")) return;
  const Json& error = response["error"];
  expect(error.is_object() && error.contains("code") && error["code"].is_number_integer() && error.contains("message") &&
             error["message"].is_string(),
         "an error of another shape");
}

void check_answer(const std::string& reply, const Json& request) {
  // Each answer is one line on the wire.
  expect(reply.find('\n') == std::string::npos, "an answer of two lines");
  const Json answer = Json::parse(reply, nullptr, false);
  expect(!answer.is_discarded(), "an answer that is not JSON");
  if (!answer.is_array()) {
    check_response(answer);
    const bool refused = answer.contains("error") && answer["error"]["code"] == rpc_code::invalid_request;
    if (request.is_object() && request.contains("id") && !refused)
      expect(to_text(answer["id"]) == to_text(request["id"]), "the answer to another request");
    return;
  }
  expect(request.is_array() && !answer.empty() && answer.size() <= request.size(), "more answers than requests");
  for (const Json& one : answer) check_response(one);
}

// What makes a text a request that must not be answered.
bool is_notification(const Json& request) {
  return request.is_object() && !request.contains("id");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  perdure::fuzz::Input input(data, size);
  Methods methods(input.byte() & 1);
  const std::string_view text = input.rest();
  int replies = 0;
  std::string reply;
  methods.table.dispatch(text, [&](std::string given) {
    ++replies;
    reply = std::move(given);
  });
  methods.answer_late();
  expect(replies == 1, "a text is answered twice, or never");
  const bool within_limits = text.size() <= request_bytes_max;
  const Json request = within_limits ? Json::parse(text, nullptr, false) : Json(Json::value_t::discarded);
  if (!reply.empty())
    check_answer(reply, request);
  else
    expect(is_notification(request) || (request.is_array() && std::ranges::all_of(request, is_notification)), "silence");
  // A client reads any text as an answer, too.
  const auto result = read_response(text);
  expect(result || !result.error().message.empty() || request.is_object(), "an error that says nothing");
  if (!reply.empty() && request.is_object()) (void)read_response(reply);
  return 0;
}
