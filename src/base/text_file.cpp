#include "base/text_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace perdure {
namespace {

constexpr std::string_view blanks = " \t\r\f\v";

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path + ": " + std::strerror(errno));
  std::string text, part(64 * 1024, '\0');
  while (file) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    text.append(part, 0, static_cast<std::size_t>(file.gcount()));
    if (text.size() > text_file_bytes_max) return fail(path + ": is too large");
  }
  if (file.bad()) return fail(path + ": cannot be read");
  return text;
}

Result<> for_each_line(std::string_view text, std::string_view name,
                       const std::function<Result<>(std::string_view line, std::size_t number)>& line) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, std::min(text.find('\n'), text.size()));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string_view content = trim(whole);
    if (content.empty() || content.front() == '#') continue;
    const bool binary = content.find('\0') != std::string_view::npos;
    const Result<> done = binary ? fail("a zero byte: this is not a text file") : line(content, number);
    if (!done) return fail(std::string(name) + ":" + std::to_string(number) + ": " + done.error().message);
  }
  return {};
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(blanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::string_view next_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(blanks), line.size());
  const std::size_t end = std::min(line.find_first_of(blanks, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace perdure
