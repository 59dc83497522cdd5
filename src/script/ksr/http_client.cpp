// KSR.http_client and KSR.http_async_client: requests to HTTP servers; the callback waits, its worker does not.
#include <bit>

#include "base/logging.hpp"
#include "script/service_results.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using net::HttpRequest;
using net::HttpResponse;

// The client itself answers at the deadline; the wait ends a little later in case that it does not.
constexpr Duration slack = 500ms;
constexpr std::size_t url_bytes_max = 16U << 10;

void complain(Vm& vm, const HttpResponse& response) {
  // A server that is away must not fill the disk. No URL: there may be a password in it.
  if (response.error && std::has_single_bit(++vm.failed_queries))
    log::warning("HTTP: failed request {}: {}", vm.failed_queries, response.error_text);
}

// Null after call.fail(): there is no such variable, or it cannot be set.
const PseudoVariable* target(Call& call, std::string_view name) {
  std::string error;
  const auto* variable = call.vm.pseudo_variable(name, error);
  if (variable && !variable->variable_class->set) error = "\"" + std::string(name) + "\" cannot be set";
  if (error.empty()) return variable;
  (void)call.fail(std::move(error));
  return nullptr;
}

// The variable gets the body or its first line; returns the status, or what libcurl says.
int finish(Call& call, const HttpResponse& response, const std::string& name) {
  complain(call.vm, response);
  std::string_view body = response.status >= 200 && response.status < 500 ? std::string_view(response.body) : std::string_view{};
  if (call.vm.http().first_line_only) body = body.substr(0, body.find('\n'));
  const auto* variable = target(call, name);
  const Value value = Value::of(body);
  if (!variable || !set_value(call, *variable, &value)) return -1;
  if (response.error) return response.error;
  return response.status;
}

int send(Call& call, HttpRequest request, Duration timeout, std::string_view variable) {
  if (request.url.size() > url_bytes_max) return call.fail("the URL is too long");
  if (!target(call, variable)) return -1;
  return call.wait(timeout + slack, [&](const Waker& waker) {
    call.vm.http().client->request(std::move(request), timeout, [waker, name = std::string(variable)](HttpResponse response) {
      waker([response = std::make_shared<const HttpResponse>(std::move(response)), name](Call& woken) {
        return finish(woken, *response, name);
      });
    });
  });
}

HttpRequest to(std::string_view url) {
  HttpRequest request;
  request.url = url;
  return request;
}

// Several header lines in one text are told apart, so that none can smuggle in another.
void add_headers(HttpRequest& request, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\r\n");
    if (const auto line = text.substr(0, end); !line.empty()) request.headers.emplace_back(line);
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
  }
}

int query(Call& call) {
  return send(call, to(call.text(0)), call.vm.http().timeout, call.text(1));
}
int query_post(Call& call) {
  HttpRequest request = to(call.text(0));
  request.method = "POST";
  request.body = call.text(1);
  if (call.count() == 4) add_headers(request, call.text(2));
  return send(call, std::move(request), call.vm.http().timeout, call.text(call.count() - 1));
}
int get_hdrs(Call& call) {
  HttpRequest request = to(call.text(0));
  request.method = "GET";
  request.body = call.text(1);
  add_headers(request, call.text(2));
  return send(call, std::move(request), call.vm.http().timeout, call.text(3));
}

int connect(Call& call, std::string_view content_type, std::string_view body, std::string_view variable) {
  const auto& connections = call.vm.http().connections;
  const auto found = connections.find(call.text(0));
  if (found == connections.end()) return call.fail("there is no HTTP connection " + std::string(call.text(0)));
  const HttpConnection& connection = found->second;
  HttpRequest request = to(connection.url);
  if (const auto path = call.text(1); !path.empty()) {
    if (!path.starts_with('/')) request.url += '/';
    request.url += path;
  }
  request.user = connection.user;
  request.password = connection.password;
  request.ca_file = connection.ca_file;
  request.client_certificate = connection.client_certificate;
  request.client_key = connection.client_key;
  request.body = body;
  if (!body.empty()) add_headers(request, "Content-Type: " + std::string(content_type.empty() ? connection.content_type : content_type));
  return send(call, std::move(request), connection.timeout, variable);
}

constexpr std::string_view waits =
    "The callback waits, so only in request and failure callbacks. -1 if too many requests wait. A response that is too large is an error.";

const Function client[] = {
    {"http_client", "query", "string url, string variable", Returns::Integer, routes::answering,
     "GET. The variable, for example `$var(result)`, gets the first line of the body (`http_client.result`), an empty text at a status of "
     "500 "
     "and more. Returns the status; below 100 there was no response: `$curlerror(code)`.",
     waits, query},
    {"http_client", "query_post", "string url, string body, string variable", Returns::Integer, routes::answering, "The same with POST.",
     waits, query_post},
    {"http_client", "query_post_hdrs", "string url, string body, string headers, string variable", Returns::Integer, routes::answering,
     "POST with headers, a line each.", waits, query_post},
    {"http_client", "get_hdrs", "string url, string body, string headers, string variable", Returns::Integer, routes::answering,
     "GET with headers, a line each, and with a body if it is not empty.", waits, get_hdrs},
    {"http_client", "curl_connect", "string connection, string path, string variable", Returns::Integer, routes::answering,
     "GET from a server of the configuration, `[http_connection.NAME]`.", waits,
     [](Call& call) { return connect(call, {}, {}, call.text(2)); }},
    {"http_client", "curl_connect_post", "string connection, string path, string content_type, string body, string variable",
     Returns::Integer, routes::answering, "POST to a server of the configuration.", waits,
     [](Call& call) { return connect(call, call.text(2), call.text(3), call.text(4)); }},
};

int query_async(Call& call) {
  if (call.text(0).size() > url_bytes_max) return call.fail("the URL is too long");
  if (!call.run.http) call.run.http = std::make_unique<HttpState>();
  HttpState& http = *call.run.http;
  HttpRequest request = std::exchange(http.request, {});
  request.url = call.text(0);
  const HttpService& service = call.vm.http();
  const Duration timeout = std::exchange(http.timeout, std::nullopt).value_or(service.timeout);
  if (!std::exchange(http.suspend, true)) {
    const auto number = service.client->request(std::move(request), timeout, [](const HttpResponse& response) {
      if (response.error) log::warning("HTTP: a request that nobody waits for: {}", response.error_text);
    });
    http.id = std::to_string(number);
    return 1;
  }
  // What $http_err says if nothing else ends the wait.
  HttpResponse none;
  none.error = 28;
  none.error_text = net::HttpClient::error_text(none.error);
  http.response = std::make_shared<const HttpResponse>(std::move(none));
  return call.continue_with_answer(timeout + slack, call.text(1), [&](const Waker& waker) {
    const auto number = service.client->request(std::move(request), timeout, [waker](HttpResponse response) {
      waker([response = std::make_shared<const HttpResponse>(std::move(response))](Call& woken) {
        complain(woken.vm, *response);
        woken.run.http->response = response;
        return 1;
      });
    });
    http.id = std::to_string(number);
  });
}

const Function async_client[] = {
    {"http_async_client", "query", "string url, string function", Returns::Integer, routes::answering,
     "Sends a request, as `$http_req(…)` says, and ends the callback; with the response or an error the script's function goes on with the "
     "same SIP request: `$http_ok`, `$http_rs`, `$http_rb`, `$http_err`. With `$http_req(suspend)` 0 the request is sent and the callback "
     "goes on: 1.",
     "The callback always waits, whether there was a transaction before or not. With `suspend` 0 nobody gets the response.", query_async},
};

}  // namespace

std::span<const Function> http_client_functions() {
  return client;
}
std::span<const Function> http_async_client_functions() {
  return async_client;
}

}  // namespace perdure::script
