#pragma once
// A program that engines are started from, held open: it can be started again when the file on disk has been replaced.
#include <memory>
#include <string>

#include "base/result.hpp"

namespace perdure::edge {

class Binary {
 public:
  // A regular file that this user may execute.
  [[nodiscard]] static Result<std::shared_ptr<const Binary>> open(const std::string& path);
  // The program of this process. `path` is its name for people; what is there on disk by now may be another one.
  [[nodiscard]] static Result<std::shared_ptr<const Binary>> own(std::string path);
  ~Binary();
  Binary(const Binary&) = delete;
  Binary& operator=(const Binary&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // For exec, in this process or a child of it.
  [[nodiscard]] const std::string& exec_path() const { return exec_path_; }

 private:
  Binary(int descriptor, std::string path);

  int descriptor_;
  std::string path_, exec_path_;
};

}  // namespace perdure::edge
