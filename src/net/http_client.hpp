#pragma once
// Requests to HTTP servers, in a thread of its own.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "net/http_types.hpp"
#include "net/service_counters.hpp"

namespace perdure::net {

// Certificates of TLS are always verified. Connections are kept and used again. Environment variables for proxies are not looked at.
class HttpClient {
 public:
  // Called exactly once for each request, in the thread of the client. It should be short. The client must not be destroyed in it; asking
  // again is fine.
  using Done = std::function<void(HttpResponse)>;

  // Begins with the first request: what is not used costs nothing.
  explicit HttpClient(HttpOptions options);
  // Every request ends with an error now.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any thread, does not block. `timeout` begins now, waiting for a turn included. Returns the number of the request.
  std::uint64_t request(HttpRequest request, Duration timeout, Done done);
  [[nodiscard]] ServiceCounters counters() const;

  // What libcurl says of an error's code.
  [[nodiscard]] static std::string_view error_text(int code);

 private:
  struct Job;
  class Transfers;
  void begin();
  void run();

  const HttpOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Job>> submitted_;
  bool stopping_ = false;
  ServiceCounters counters_;
  std::once_flag begun_;
  std::unique_ptr<Transfers> transfers_;
  std::thread thread_;
};

}  // namespace perdure::net
