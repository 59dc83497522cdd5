#pragma once
// Where lines of accounting go: a file, or standard error without one.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace perdure::app {

class AccountLog {
 public:
  // `path` empty: standard error.
  [[nodiscard]] static Result<std::unique_ptr<AccountLog>> open(const std::string& path);
  ~AccountLog();
  AccountLog(const AccountLog&) = delete;
  AccountLog& operator=(const AccountLog&) = delete;

  // Any thread. The line is in the hands of the kernel when this returns: it outlives the process, not a loss of power.
  void write(std::string_view line);

 private:
  AccountLog(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  const std::string path_;
  const int descriptor_;
};

}  // namespace perdure::app
