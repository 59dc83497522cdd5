#pragma once
// How processes of this program find it, and what they give each other.
#include <string>

#include "base/result.hpp"

namespace perdure::app {

// The absolute path by which it was started, links in it kept, so that another version put there is found; where that is not the program
// that runs (it was replaced meanwhile, or argv[0] says anything), what the kernel calls it. Before the working directory changes.
[[nodiscard]] std::string program_path(const std::string& argv0);

// A file in memory with this text, for another process; `name` is for people.
[[nodiscard]] Result<int> share_text(const char* name, const std::string& text);
// The text in a file in memory that another process has passed on.
[[nodiscard]] Result<std::string> read_whole(int descriptor);

}  // namespace perdure::app
