// $redis, and the variables of HTTP: what other services have answered.
#include <charconv>

#include "base/case.hpp"
#include "base/text_file.hpp"
#include "script/service_results.hpp"
#include "script/text_template.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using V = VariableValue;
using P = const PseudoVariable&;
using net::RedisReply;

// ---- Redis ----

V shown(const RedisReply& reply) {
  if (reply.type == RedisReply::Type::Integer) return V::of(reply.integer);
  return reply.type == RedisReply::Type::String ? V::of(std::string_view(reply.text)) : V{};
}

// The element that "[2]" means; null: there is none.
const RedisReply* element(const RedisReply& reply, std::string_view index) {
  if (!index.starts_with('[') || !index.ends_with(']')) return nullptr;
  const auto number = number_from<std::size_t>(trim(index.substr(1, index.size() - 2)));
  return number && *number < reply.elements.size() ? &reply.elements[*number] : nullptr;
}

V redis(Call& call, P variable) {
  auto& argument = call.vm.value_buffers.enter().collected;
  argument.clear();
  variable.text_template->append_to(call, argument);
  call.vm.value_buffers.leave();
  const std::string_view text = trim(argument);
  const std::size_t arrow = text.find("=>");
  if (arrow == text.npos) return {};
  const auto* reply = call.run.redis_replies.find(trim(text.substr(0, arrow)));
  if (!reply) return {};
  const std::string_view key = trim(text.substr(arrow + 2));
  if (key == "type") return V::of(static_cast<std::int64_t>(reply->type));
  if (key == "value") return shown(*reply);
  if (key == "info") return reply->text.empty() ? V{} : V::of(std::string_view(reply->text));
  if (key == "size") return reply->type == RedisReply::Type::Array ? V::of(static_cast<std::int64_t>(reply->elements.size())) : V{};
  const bool type = key.starts_with("type");
  if (!type && !key.starts_with("value")) return {};
  const auto* one = element(*reply, key.substr(type ? 4 : 5));
  if (!one) return {};
  return type ? V::of(static_cast<std::int64_t>(one->type)) : shown(*one);
}

// ---- HTTP ----

const net::HttpResponse* response(const Call& call) {
  return call.run.http ? call.run.http->response.get() : nullptr;
}
// Of a response that came.
const net::HttpResponse* good_response(const Call& call) {
  const auto* found = response(call);
  return found && !found->error ? found : nullptr;
}

V reason(Call& call, P) {
  const auto* found = good_response(call);
  if (!found) return {};
  std::string_view line = std::string_view(found->head).substr(0, found->head.find("\r\n"));
  (void)next_word(line);
  (void)next_word(line);
  return V::of(trim(line));
}

V header(Call& call, P variable) {
  const auto* found = good_response(call);
  if (!found) return {};
  std::string_view rest = found->head;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    const std::size_t colon = line.find(':');
    if (colon != line.npos && equals_ignore_case(line.substr(0, colon), variable.argument)) return V::of(trim(line.substr(colon + 1)));
  }
  return {};
}

template <std::string net::HttpResponse::*member>
V part(Call& call, P) {
  const auto* found = good_response(call);
  return found ? V::of(std::string_view(found->*member)) : V{};
}
V whole(Call& call, P) {
  const auto* found = good_response(call);
  if (!found) return {};
  call.vm.scratch = found->head + "\r\n" + found->body;
  return V::of(std::string_view(call.vm.scratch));
}

constexpr std::string_view request_keys =
    "all hdr body method timeout username password suspend tls_client_cert tls_client_key tls_ca_path";
enum RequestKey { All, Hdr, Body, Method, Timeout, Username, Password, Suspend, ClientCertificate, ClientKey, CaPath };
constexpr std::size_t headers_max = 64, request_bytes_max = 1U << 20;

bool refuse(Call& call, std::string why) {
  (void)call.fail(std::move(why));
  return false;
}

bool set_request(Call& call, P variable, const Value* value) {
  if (!call.run.http) call.run.http = std::make_unique<HttpState>();
  HttpState& http = *call.run.http;
  const auto key = static_cast<RequestKey>(variable.keyword);
  const std::string text = !value ? std::string() : value->is_number ? std::to_string(value->number) : std::string(value->text);
  if (text.size() > request_bytes_max) return refuse(call, "too long for an HTTP request");
  switch (key) {
    case All:
      if (value) return refuse(call, "$http_req(all) can only be unset");
      http.request = {};
      http.timeout.reset();
      http.suspend = true;
      break;
    case Hdr:
      if (!value) {
        http.request.headers.clear();
        break;
      }
      if (text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos) return refuse(call, "an HTTP header is one line");
      if (http.request.headers.size() >= headers_max) return refuse(call, "too many HTTP headers");
      http.request.headers.push_back(text);
      break;
    case Body:
      http.request.body = text;
      break;
    case Method:
      if (value && text != "GET" && text != "POST" && text != "PUT" && text != "DELETE")
        return refuse(call, "the method of an HTTP request is GET, POST, PUT or DELETE");
      http.request.method = text;
      break;
    case Timeout: {
      const auto milliseconds = number_from<std::int64_t>(text);
      if (value && (!milliseconds || *milliseconds < 1 || *milliseconds > 60'000))
        return refuse(call, "the timeout of an HTTP request is 1 to 60000 milliseconds");
      http.timeout = value ? std::optional<Duration>(std::chrono::milliseconds(*milliseconds)) : std::nullopt;
      break;
    }
    case Username:
      http.request.user = text;
      break;
    case Password:
      http.request.password = text;
      break;
    case Suspend:
      http.suspend = !value || text != "0";
      break;
    case ClientCertificate:
      http.request.client_certificate = text;
      break;
    case ClientKey:
      http.request.client_key = text;
      break;
    case CaPath:
      http.request.ca_file = text.empty() || text.ends_with('/') ? text : text + '/';
      break;
  }
  return true;
}

constexpr auto None = VariableArgument::None;

const VariableClass table[] = {
    {"redis", VariableArgument::Template,
     "`$redis(reply=>value)`: a reply of `ndb_redis.redis_cmd`: text or number; `value[n]` of an array, `type` and `type[n]` (1 text, 2 "
     "array, 3 number, 4 nothing, 5 status, 6 error), `size` of an array, `info`: the text of a status or error",
     redis},
    {"http_req", VariableArgument::Keyword,
     "`$http_req(key)`: of the next request of `http_async_client.query`, can only be set: all (unset: begin anew), hdr (each adds a "
     "line), body, method (GET, POST, PUT, DELETE), timeout (milliseconds), username, password, suspend, tls_client_cert, tls_client_key, "
     "tls_ca_path",
     [](Call&, P) { return V{}; }, set_request, false, request_keys},
    {"http_req_id", None, "number of the request that was sent or answered last",
     [](Call& call, P) { return call.run.http && !call.run.http->id.empty() ? V::of(std::string_view(call.run.http->id)) : V{}; }},
    {"http_ok", None, "1: the HTTP server has answered; 0: it has not",
     [](Call& call, P) {
       const auto* found = response(call);
       return found ? V::of(std::int64_t{found->error == 0}) : V{};
     }},
    {"http_err", None, "why the HTTP server has not answered",
     [](Call& call, P) {
       const auto* found = response(call);
       return found && found->error ? V::of(std::string_view(found->error_text)) : V{};
     }},
    {"http_rs", None, "status of the HTTP response",
     [](Call& call, P) {
       const auto* found = good_response(call);
       return found ? V::of(std::int64_t{found->status}) : V{};
     }},
    {"http_rr", None, "reason of the HTTP response", reason},
    {"http_hdr", VariableArgument::Text, "`$http_hdr(name)`: first header of that name in the HTTP response", header},
    {"http_rb", None, "body of the HTTP response", part<&net::HttpResponse::body>},
    {"http_bs", None, "size of that body",
     [](Call& call, P) {
       const auto* found = good_response(call);
       return found ? V::of(static_cast<std::int64_t>(found->body.size())) : V{};
     }},
    {"http_mb", None, "the whole HTTP response", whole},
    {"http_ml", None, "its size",
     [](Call& call, P) {
       const auto* found = good_response(call);
       return found ? V::of(static_cast<std::int64_t>(found->head.size() + 2 + found->body.size())) : V{};
     }},
    {"curlerror", VariableArgument::Text, "`$curlerror(code)`: what a result of `KSR.http_client` below 100 means",
     [](Call& call, P variable) {
       const auto code = number_from<int>(variable.argument);
       if (!code || *code < 0 || *code > 999) return V::of(std::string_view("Bad CURL error code"));
       call.vm.scratch = *code > 99 ? std::string_view("HTTP result code") : net::HttpClient::error_text(*code);
       return V::of(std::string_view(call.vm.scratch));
     }},
};

}  // namespace

std::span<const VariableClass> service_variables() {
  return table;
}

}  // namespace perdure::script
