#pragma once
// What goes to an HTTP server and what comes back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace perdure::net {

struct HttpRequest {
  std::string url;                   // http or https
  std::string method;                // empty: GET, or POST with a body
  std::string body;                  // empty: none
  std::vector<std::string> headers;  // lines without their ends
  std::string user, password;        // for Basic or Digest; empty: none
  std::string ca_file;               // trusted in place of the options'; a folder if it ends with a slash
  std::string client_certificate, client_key;
};

struct HttpResponse {
  int error = 0;           // 0: there is a response; otherwise a code of libcurl, 1 to 99
  std::string error_text;  // why there is none
  int status = 0;
  std::string head;  // the status line and the headers of the last response, each with its line end
  std::string body;
};

struct HttpOptions {
  std::uint32_t connections = 64;      // transfers at a time
  std::uint32_t queue_max = 1000;      // requests that wait for their turn
  std::size_t body_max = 1U << 20;     // of a response; more is an error
  std::size_t head_max = 64U << 10;    // of all its headers, redirections included
  std::string ca_file;                 // empty: those of the system
  std::string user_agent = "perdure";  // empty: none
  bool follow_redirects = false;       // at most five
};

}  // namespace perdure::net
