#pragma once
// What `perdure top` shows, as lines of text: no terminal in here.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "app/top/snapshot.hpp"

namespace perdure::app::top {

enum class Tab : std::uint8_t { Calls, Gateways, Responses };
enum class Key : std::uint8_t { None, Up, Down, PageUp, PageDown, Enter, Back, NextTab, Sort, Reverse, Filter, Erase, Quit };

struct Line {
  enum class Look : std::uint8_t { Plain, Title, Chosen, Alarm };
  std::string text;  // at most as many characters as the terminal is wide
  Look look = Look::Plain;
};

// What is chosen, typed and sorted by; changed by keys.
class Screen {
 public:
  void take(Snapshot snapshot);
  // A key, or with Key::None a character. False: it is time to end.
  bool press(Key key, char character = '\0');
  // Exactly `height` lines.
  [[nodiscard]] std::vector<Line> lines(std::size_t width, std::size_t height);

  [[nodiscard]] bool is_typing() const { return typing_; }
  // The call whose ladder is wanted, empty: none. set_ladder() is the answer.
  [[nodiscard]] const std::string& detail() const { return detail_; }
  void set_ladder(std::string ladder) { ladder_ = std::move(ladder); }

 private:
  struct Row {
    std::string key;  // a Call-ID in the table of calls
    std::vector<std::string> cells;
  };
  [[nodiscard]] std::vector<std::string> titles() const;
  [[nodiscard]] std::vector<Row> rows() const;
  [[nodiscard]] std::vector<Row> call_rows() const;
  [[nodiscard]] std::vector<Row> gateway_rows() const;
  [[nodiscard]] std::vector<Row> response_rows() const;
  void add_head(std::vector<Line>& lines) const;
  void add_table(std::vector<Line>& lines, std::size_t width, std::size_t height);
  void add_detail(std::vector<Line>& lines, std::size_t height);
  [[nodiscard]] std::string states_text() const;

  Snapshot before_, now_;
  Rates rates_;
  Tab tab_ = Tab::Calls;
  std::size_t sort_ = 0, chosen_ = 0, first_ = 0, scrolled_ = 0, page_ = 10;
  bool reversed_ = false, typing_ = false;
  std::string filter_, detail_, ladder_;
  std::vector<Row> shown_;
};

// Cut to so many characters of UTF-8; what is no printable text becomes '?'.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t width);

}  // namespace perdure::app::top
