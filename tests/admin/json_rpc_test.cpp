#include "admin/json_rpc.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace perdure::admin {
namespace {

// The methods of the examples in section 7 of the specification.
MethodTable example_methods() {
  MethodTable methods;
  methods.add("subtract", [](const Json& params) -> RpcResult {
    return parameter(params, 0, "minuend").get<int>() - parameter(params, 1, "subtrahend").get<int>();
  });
  methods.add("sum", [](const Json& params) -> RpcResult {
    int sum = 0;
    for (const auto& each : params) sum += each.get<int>();
    return sum;
  });
  methods.add("get_data", [](const Json&) -> RpcResult { return Json{"hello", 5}; });
  for (const char* name : {"update", "notify_hello", "notify_sum"}) methods.add(name, [](const Json&) -> RpcResult { return nullptr; });
  return methods;
}

// The answer to a text; nullopt: `reply` was not called, or more than once.
std::optional<std::string> answer(const MethodTable& methods, std::string_view text) {
  std::optional<std::string> got;
  int calls = 0;
  methods.dispatch(text, [&](std::string reply) {
    got = std::move(reply);
    ++calls;
  });
  return calls == 1 ? got : std::nullopt;
}

Json answer_json(std::string_view text) {
  const auto methods = example_methods();
  const auto got = answer(methods, text);
  return got ? Json::parse(*got, nullptr, false) : Json();
}

int error_code(const Json& response) {
  return response.contains("error") ? response["error"]["code"].get<int>() : 0;
}

TEST(JsonRpc, AnswersPositionalParameters) {
  EXPECT_EQ(answer_json(R"({"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":1})"),
            (Json{{"jsonrpc", "2.0"}, {"result", 19}, {"id", 1}}));
  EXPECT_EQ(answer_json(R"({"jsonrpc":"2.0","method":"subtract","params":[23,42],"id":2})"),
            (Json{{"jsonrpc", "2.0"}, {"result", -19}, {"id", 2}}));
}

TEST(JsonRpc, AnswersNamedParametersInAnyOrder) {
  const Json expected = {{"jsonrpc", "2.0"}, {"result", 19}, {"id", "a"}};
  EXPECT_EQ(answer_json(R"({"jsonrpc":"2.0","method":"subtract","params":{"subtrahend":23,"minuend":42},"id":"a"})"), expected);
  EXPECT_EQ(answer_json(R"({"jsonrpc":"2.0","method":"subtract","params":{"minuend":42,"subtrahend":23},"id":"a"})"), expected);
}

TEST(JsonRpc, NotificationsGetNoAnswerEvenIfTheyFail) {
  const auto methods = example_methods();
  EXPECT_EQ(answer(methods, R"({"jsonrpc":"2.0","method":"update","params":[1,2,3,4,5]})"), "");
  EXPECT_EQ(answer(methods, R"({"jsonrpc":"2.0","method":"foobar"})"), "");
  EXPECT_EQ(answer(methods, R"({"jsonrpc":"2.0","method":"subtract","params":["x"]})"), "");
}

TEST(JsonRpc, NullIsAnIdAndNotANotification) {
  const Json response = answer_json(R"({"jsonrpc":"2.0","method":"sum","params":[1],"id":null})");
  EXPECT_EQ(response["result"], 1);
  EXPECT_TRUE(response["id"].is_null());
}

TEST(JsonRpc, UnknownMethod) {
  const Json response = answer_json(R"({"jsonrpc":"2.0","method":"foobar","id":"1"})");
  EXPECT_EQ(error_code(response), rpc_code::method_not_found);
  EXPECT_EQ(response["error"]["message"], "there is no method 'foobar'");
  EXPECT_EQ(response["id"], "1");
}

TEST(JsonRpc, WhatIsNotJsonIsAParseErrorWithIdNull) {
  for (const char* text : {R"({"jsonrpc":"2.0","method":"foobar,"params":"bar","baz])", "", "{", "nul",
                           R"([{"jsonrpc":"2.0","method":"sum","params":[1],"id":"1"},{"jsonrpc":"2.0","method"])", "\xff\xfe"}) {
    const Json response = answer_json(text);
    EXPECT_EQ(error_code(response), rpc_code::parse_error) << text;
    EXPECT_TRUE(response["id"].is_null()) << text;
  }
}

TEST(JsonRpc, WhatIsNoRequestIsInvalid) {
  for (const char* text : {R"({"jsonrpc":"2.0","method":1,"params":"bar"})", R"({"jsonrpc":"2.0","id":1})", R"({"method":"sum","id":1})",
                           R"({"jsonrpc":2.0,"method":"sum","id":1})", R"({"jsonrpc":"1.0","method":"sum","id":1})",
                           R"({"jsonrpc":"2.0","method":"sum","params":"bar","id":1})", R"({"jsonrpc":"2.0","method":"sum","id":{}})", "1",
                           "null", R"("text")", "[]"}) {
    const Json response = answer_json(text);
    EXPECT_EQ(error_code(response), rpc_code::invalid_request) << text;
    EXPECT_TRUE(response["id"].is_null()) << text;
  }
}

TEST(JsonRpc, BatchOfInvalidOnesGetsAnErrorEach) {
  const Json one = answer_json("[1]");
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(error_code(one[0]), rpc_code::invalid_request);
  const Json three = answer_json("[1,2,3]");
  ASSERT_EQ(three.size(), 3u);
  for (const auto& each : three) EXPECT_EQ(error_code(each), rpc_code::invalid_request);
}

TEST(JsonRpc, MixedBatchIsAnsweredInOrderWithoutItsNotifications) {
  const Json response = answer_json(R"([
    {"jsonrpc":"2.0","method":"sum","params":[1,2,4],"id":"1"},
    {"jsonrpc":"2.0","method":"notify_hello","params":[7]},
    {"jsonrpc":"2.0","method":"subtract","params":[42,23],"id":"2"},
    {"foo":"boo"},
    {"jsonrpc":"2.0","method":"foo.get","params":{"name":"myself"},"id":"5"},
    {"jsonrpc":"2.0","method":"get_data","id":"9"}])");
  ASSERT_EQ(response.size(), 5u);
  EXPECT_EQ(response[0], (Json{{"jsonrpc", "2.0"}, {"result", 7}, {"id", "1"}}));
  EXPECT_EQ(response[1], (Json{{"jsonrpc", "2.0"}, {"result", 19}, {"id", "2"}}));
  EXPECT_EQ(error_code(response[2]), rpc_code::invalid_request);
  EXPECT_EQ(error_code(response[3]), rpc_code::method_not_found);
  EXPECT_EQ(response[3]["id"], "5");
  EXPECT_EQ(response[4]["result"], (Json{"hello", 5}));
}

TEST(JsonRpc, BatchOfNotificationsGetsNoAnswer) {
  const auto methods = example_methods();
  EXPECT_EQ(answer(methods, R"([{"jsonrpc":"2.0","method":"notify_sum","params":[1,2,4]},{"jsonrpc":"2.0","method":"notify_hello"}])"), "");
}

TEST(JsonRpc, ParametersOfAnotherTypeAreInvalidParams) {
  EXPECT_EQ(error_code(answer_json(R"({"jsonrpc":"2.0","method":"subtract","params":["a","b"],"id":1})")), rpc_code::invalid_params);
  EXPECT_EQ(error_code(answer_json(R"({"jsonrpc":"2.0","method":"subtract","id":1})")), rpc_code::invalid_params);
}

TEST(JsonRpc, BoundsSizeDepthAndBatch) {
  const auto methods = example_methods();
  const auto code = [&](const std::string& text) { return error_code(Json::parse(answer(methods, text).value_or("null"))); };
  EXPECT_EQ(code(std::string(request_bytes_max + 1, ' ')), rpc_code::invalid_request);
  const auto nested = [](std::size_t depth) {
    return R"({"jsonrpc":"2.0","method":"update","id":1,"params":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_EQ(code(nested(request_depth_max)), 0);
  EXPECT_EQ(code(nested(request_depth_max + 1)), rpc_code::invalid_request);
  EXPECT_EQ(code(std::string(500'000, '[')), rpc_code::invalid_request);
  // Brackets in a text are text.
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","method":"update","id":1,"params":["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]})"), 0);
  std::string batch = "[";
  for (std::size_t i = 0; i <= batch_max; ++i) batch += std::string(i ? "," : "") + R"({"jsonrpc":"2.0","method":"sum","id":1})";
  EXPECT_EQ(code(batch + "]"), rpc_code::invalid_request);
}

TEST(JsonRpc, LateAnswersOfABatchComeTogether) {
  MethodTable methods;
  std::vector<MethodTable::Done> waiting;
  methods.add_late("late", [&](const Json&, MethodTable::Done done) { waiting.push_back(std::move(done)); });
  methods.add("now", [](const Json&) -> RpcResult { return "now"; });
  std::vector<std::string> replies;
  methods.dispatch(R"([{"jsonrpc":"2.0","method":"late","id":1},{"jsonrpc":"2.0","method":"now","id":2},
                       {"jsonrpc":"2.0","method":"late","id":3}])",
                   [&](std::string reply) { replies.push_back(std::move(reply)); });
  ASSERT_EQ(waiting.size(), 2u);
  waiting[1](Json("second"));
  EXPECT_TRUE(replies.empty());
  waiting[0](rpc_fail("first"));
  ASSERT_EQ(replies.size(), 1u);
  const Json response = Json::parse(replies[0]);
  EXPECT_EQ(response[0]["error"]["message"], "first");
  EXPECT_EQ(response[0]["error"]["code"], rpc_code::failed);
  EXPECT_EQ(response[1]["result"], "now");
  EXPECT_EQ(response[2]["result"], "second");
}

TEST(JsonRpc, AHandlerThatThrowsForgetsOrRepeatsGivesOneAnswer) {
  MethodTable methods;
  methods.add("throws", [](const Json&) -> RpcResult { throw std::runtime_error("broken"); });
  methods.add_late("forgets", [](const Json&, const MethodTable::Done&) {});
  methods.add_late("repeats", [](const Json&, const MethodTable::Done& done) {
    done(Json(1));
    done(Json(2));
  });
  const auto ask = [&](const char* method) {
    return Json::parse(answer(methods, to_text(make_request(method, Json::array()))).value_or("null"));
  };
  EXPECT_EQ(error_code(ask("throws")), rpc_code::internal_error);
  EXPECT_EQ(ask("throws")["error"]["message"], "broken");
  EXPECT_EQ(error_code(ask("forgets")), rpc_code::internal_error);
  EXPECT_EQ(ask("repeats")["result"], 1);
}

TEST(JsonRpc, AMethodMayAskWhoAsks) {
  MethodTable methods;
  methods.add_for_caller("who", [](const Json&, const MethodTable::Done& done, const Caller& caller) {
    done(Json{caller.name, caller.over_http});
  });
  std::string reply;
  methods.dispatch(R"([{"jsonrpc":"2.0","method":"who","id":1}])", [&](std::string text) { reply = std::move(text); },
                   {.name = "http 192.0.2.1:9", .over_http = true});
  EXPECT_EQ(Json::parse(reply)[0]["result"], (Json{"http 192.0.2.1:9", true}));
}

TEST(JsonRpc, OtherMethodsGoToTheOtherHandler) {
  auto methods = example_methods();
  methods.set_other([](const std::string& method, const Json& params, const MethodTable::Done& done) {
    done(Json{{"method", method}, {"count", params.size()}});
  });
  const Json response = Json::parse(answer(methods, R"({"jsonrpc":"2.0","method":"elsewhere","params":[1,2],"id":7})").value_or("null"));
  EXPECT_EQ(response["result"], (Json{{"method", "elsewhere"}, {"count", 2}}));
}

TEST(JsonRpc, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(to_text(Json("a\xff"
                         "b")),
            "\"a\xef\xbf\xbd"
            "b\"");
}

TEST(JsonRpc, ReadsResponses) {
  EXPECT_EQ(read_response(R"({"jsonrpc":"2.0","result":[1],"id":1})").value(), Json::array({1}));
  const auto error = read_response(R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"no"},"id":1})");
  ASSERT_FALSE(error.has_value());
  EXPECT_EQ(error.error().code, -32601);
  EXPECT_EQ(error.error().message, "no");
  for (const char* text : {"", "[]", "{}", R"({"error":5})", R"({"error":{"code":"x","message":7}})"})
    EXPECT_FALSE(read_response(text).has_value()) << text;
}

}  // namespace
}  // namespace perdure::admin
