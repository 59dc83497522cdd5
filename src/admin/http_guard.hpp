#pragma once
// Who is let in, and how often.
#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http_server.hpp"

namespace perdure::admin {

// What is read from files; immutable.
struct Credentials {
  std::string token;                               // empty: none is asked for
  std::unique_ptr<boost::asio::ssl::context> tls;  // null: HTTP
};
[[nodiscard]] Result<std::shared_ptr<const Credentials>> read_credentials(const HttpOptions& options);

// "Bearer TOKEN" with that token. Takes as long whatever is given.
[[nodiscard]] bool has_token(std::string_view authorization, const std::string& token);

// Without a token a page in a browser on this machine could ask as well: its requests carry an Origin, or a host that is a name.
[[nodiscard]] bool may_be_a_page(std::string_view origin, std::string_view host);

// So many a second, and as many at once.
class Allowance {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Allowance(double per_second) : per_second_(per_second), left_(per_second) {}
  [[nodiscard]] bool take(Clock::time_point now) {
    const std::chrono::duration<double> since = now - last_;
    last_ = now;
    left_ = std::min(per_second_, left_ + since.count() * per_second_);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double per_second_;
  double left_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace perdure::admin
