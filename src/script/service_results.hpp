#pragma once
// Redis and HTTP servers as scripts know them, and what one run of a callback has got from them. The clients outlive the script.
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/http_client.hpp"
#include "net/redis_pool.hpp"
#include "script/named_results.hpp"

namespace perdure::script {

struct RedisServer {
  net::RedisPool* pool = nullptr;
  Duration timeout = 1s;  // for one command, waiting for a connection included
};

// What KSR.http_client.curl_connect knows by a name.
struct HttpConnection {
  std::string url;  // "https://host/base"
  std::string user, password;
  std::string content_type = "text/plain";  // of what is posted without one
  std::string ca_file, client_certificate, client_key;
  Duration timeout = 4s;
};

struct HttpService {
  net::HttpClient* client = nullptr;
  Duration timeout = 4s;
  bool first_line_only = true;  // of what KSR.http_client gives to a variable
  std::map<std::string, HttpConnection, std::less<>> connections;
};

// Of a run that uses HTTP.
struct HttpState {
  // $http_req(…): of the next request of KSR.http_async_client.
  net::HttpRequest request;
  std::optional<Duration> timeout;
  bool suspend = true;
  // $http_rs and the like.
  std::string id;
  std::shared_ptr<const net::HttpResponse> response;
};

}  // namespace perdure::script
