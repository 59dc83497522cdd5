#include "admin/json_rpc.hpp"

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <vector>

namespace perdure::admin {
namespace {

// Brackets that are open at the same time at most: what a text costs to build is known before it is built.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// What makes a value no request (section 4), empty if it is one.
std::string_view fault_of(const Json& request) {
  if (!request.is_object()) return "a request is an object";
  const auto version = request.find("jsonrpc");
  if (version == request.end() || *version != "2.0") return "\"jsonrpc\" must be \"2.0\"";
  const auto method = request.find("method");
  if (method == request.end() || !method->is_string()) return "\"method\" must be a text";
  const auto params = request.find("params");
  if (params != request.end() && !params->is_structured()) return "\"params\" must be an array or an object";
  const auto id = request.find("id");
  if (id != request.end() && !id->is_null() && !id->is_string() && !id->is_number()) return "\"id\" must be a text, a number or null";
  return {};
}

Json make_result(Json result, Json id) {
  return {{"jsonrpc", "2.0"}, {"result", std::move(result)}, {"id", std::move(id)}};
}

// A handler that answers twice, or is dropped without an answer, is a bug that must not reach the client as silence or as two lines.
class Once {
 public:
  explicit Once(MethodTable::Done done) : done_(std::move(done)) {}
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;
  ~Once() { give(rpc_fail("the method gave no answer", rpc_code::internal_error)); }
  void give(RpcResult result) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }

 private:
  MethodTable::Done done_;
};

}  // namespace

std::unexpected<RpcError> rpc_fail(std::string message, int code) {
  return std::unexpected(RpcError{code, std::move(message)});
}

void MethodTable::add(std::string name, Handler handler) {
  add_late(std::move(name), [handler = std::move(handler)](const Json& params, const Done& done) { done(handler(params)); });
}

void MethodTable::add_late(std::string name, LateHandler handler) {
  add_for_caller(std::move(name),
                 [handler = std::move(handler)](Json params, Done done, const Caller&) { handler(std::move(params), std::move(done)); });
}

void MethodTable::add_for_caller(std::string name, CallerHandler handler) {
  methods_.insert_or_assign(std::move(name), std::move(handler));
}

void MethodTable::set_audit(std::function<bool(const std::string& method)> wanted, Audit audit) {
  audit_wanted_ = std::move(wanted);
  audit_ = std::move(audit);
}

void MethodTable::call(const std::string& method, Json params, Done done, const Caller& caller) const {
  if (audit_ && audit_wanted_(method))
    done = [audit = audit_, name = caller.name, method, params, done = std::move(done)](RpcResult result) {
      audit(name, method, params, result);
      done(std::move(result));
    };
  const auto once = std::make_shared<Once>(std::move(done));
  const Done give = [once](RpcResult result) { once->give(std::move(result)); };
  try {
    if (const auto found = methods_.find(method); found != methods_.end()) return found->second(std::move(params), give, caller);
    if (other_) return other_(method, std::move(params), give);
    give(rpc_fail(fmt::format("there is no method '{}'", method), rpc_code::method_not_found));
  } catch (const Json::exception& error) {  // a parameter of another type than the handler asked for
    give(rpc_fail(error.what(), rpc_code::invalid_params));
  } catch (const std::exception& error) {
    give(rpc_fail(error.what(), rpc_code::internal_error));
  }
}

// `done` gets a discarded value for a notification.
void MethodTable::handle(const Json& request, std::function<void(Json)> done, const Caller& caller) const {
  if (const auto fault = fault_of(request); !fault.empty()) return done(make_error({rpc_code::invalid_request, std::string(fault)}));
  const bool notification = !request.contains("id");
  Json id = notification ? Json() : request["id"];
  const auto params = request.find("params");
  call(
      request["method"].get<std::string>(), params == request.end() ? Json::array() : *params,
      [notification, id = std::move(id), done = std::move(done)](RpcResult result) {
        if (notification) return done(Json(Json::value_t::discarded));
        done(result ? make_result(std::move(*result), id) : make_error(result.error(), id));
      },
      caller);
}

void MethodTable::handle_batch(const Json& batch, std::function<void(std::string)> reply, const Caller& caller) const {
  struct State {
    std::vector<Json> answers;
    std::size_t open = 0;
    std::function<void(std::string)> reply;
  };
  const auto state = std::make_shared<State>();
  state->answers.resize(batch.size(), Json(Json::value_t::discarded));
  state->open = batch.size();
  state->reply = std::move(reply);
  for (std::size_t i = 0; i < batch.size(); ++i)
    handle(
        batch[i],
        [state, i](Json answer) {
          state->answers[i] = std::move(answer);
          if (--state->open > 0) return;
          Json answers = Json::array();
          for (auto& each : state->answers)
            if (!each.is_discarded()) answers.push_back(std::move(each));
          state->reply(answers.empty() ? std::string() : to_text(answers));
        },
        caller);
}

void MethodTable::dispatch(std::string_view text, std::function<void(std::string)> reply, const Caller& caller) const {
  const auto refuse = [&](int code, std::string message) { reply(to_text(make_error({code, std::move(message)}))); };
  if (text.size() > request_bytes_max)
    return refuse(rpc_code::invalid_request, fmt::format("the request is larger than {} bytes", request_bytes_max));
  if (depth_of(text) > request_depth_max)
    return refuse(rpc_code::invalid_request, fmt::format("the request is nested deeper than {}", request_depth_max));
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return refuse(rpc_code::parse_error, "the request is not JSON");
  if (!json.is_array())
    return handle(
        json, [reply = std::move(reply)](const Json& answer) { reply(answer.is_discarded() ? std::string() : to_text(answer)); }, caller);
  if (json.empty()) return refuse(rpc_code::invalid_request, "the batch is empty");
  if (json.size() > batch_max) return refuse(rpc_code::invalid_request, fmt::format("more than {} requests in a batch", batch_max));
  handle_batch(json, std::move(reply), caller);
}

const Json& parameter(const Json& params, std::size_t position, std::string_view name) {
  static const Json none;
  if (params.is_array()) return position < params.size() ? params[position] : none;
  if (!params.is_object()) return none;
  const auto found = params.find(name);
  return found == params.end() ? none : *found;
}

std::string to_text(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json make_request(std::string_view method, Json params, std::uint64_t id) {
  return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}, {"id", id}};
}

Json make_error(const RpcError& error, Json id) {
  return {{"jsonrpc", "2.0"}, {"error", {{"code", error.code}, {"message", error.message}}}, {"id", std::move(id)}};
}

RpcResult read_response(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return rpc_fail("the answer is not a JSON-RPC response", rpc_code::internal_error);
  if (const auto error = json.find("error"); error != json.end()) {
    RpcError read{rpc_code::internal_error, "unknown error"};
    if (error->is_object()) {
      if (const auto code = error->find("code"); code != error->end() && code->is_number_integer()) read.code = code->get<int>();
      if (const auto message = error->find("message"); message != error->end() && message->is_string()) read.message = *message;
    }
    return std::unexpected(read);
  }
  const auto result = json.find("result");
  if (result == json.end()) return rpc_fail("the answer is not a JSON-RPC response", rpc_code::internal_error);
  return *result;
}

}  // namespace perdure::admin
