#include "app/top/command.hpp"

#include <curses.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <clocale>
#include <optional>
#include <utility>

#include "app/top/screen.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using top::Key;
using top::Line;
using top::Screen;
using Clock = std::chrono::steady_clock;

constexpr Duration answer_deadline = 2s;
constexpr std::size_t calls_max = 500;
constexpr int escape = 27;

// The terminal as curses has it, given back whatever happens.
class Terminal {
 public:
  Terminal() {
    (void)std::setlocale(LC_ALL, "");
    (void)initscr();
    (void)cbreak();
    (void)noecho();
    (void)curs_set(0);
    (void)keypad(stdscr, TRUE);
    (void)set_escdelay(50);
    if (has_colors() && start_color() == OK && use_default_colors() == OK) (void)init_pair(1, COLOR_RED, -1);
  }
  ~Terminal() { (void)endwin(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void draw(Screen& screen) {
    int height = 0, width = 0;
    getmaxyx(stdscr, height, width);
    (void)erase();
    int row = 0;
    for (const auto& line : screen.lines(static_cast<std::size_t>(width), static_cast<std::size_t>(height))) {
      const chtype look = line.look == Line::Look::Title    ? A_BOLD
                          : line.look == Line::Look::Chosen ? A_REVERSE
                          : line.look == Line::Look::Alarm  ? A_BOLD | COLOR_PAIR(1)
                                                            : A_NORMAL;
      (void)attrset(static_cast<int>(look));
      (void)mvaddstr(row++, 0, line.text.c_str());
    }
    (void)refresh();
  }

  // Waits at most so long. Nothing: no key, or another size of the terminal.
  std::optional<std::pair<Key, char>> read(int wait_ms) {
    timeout(wait_ms);
    const int key = getch();
    switch (key) {
      case ERR:
      case KEY_RESIZE:
        return std::nullopt;
      case KEY_UP:
        return std::pair(Key::Up, '\0');
      case KEY_DOWN:
        return std::pair(Key::Down, '\0');
      case KEY_PPAGE:
        return std::pair(Key::PageUp, '\0');
      case KEY_NPAGE:
        return std::pair(Key::PageDown, '\0');
      case KEY_ENTER:
      case '\n':
      case '\r':
        return std::pair(Key::Enter, '\0');
      case KEY_BACKSPACE:
      case 127:
        return std::pair(Key::Erase, '\0');
      case escape:
        return std::pair(Key::Back, '\0');
      case '\t':
        return std::pair(Key::NextTab, '\0');
      default:
        return std::pair(Key::None, key > 0 && key < 127 ? static_cast<char>(key) : '\0');
    }
  }
};

// Asks a server that may come and go.
class Source {
 public:
  explicit Source(const ClientOptions& options) : options_(options) {}

  top::Snapshot look() {
    top::Answers answers;
    std::string error;
    const auto ask = [&](const char* method, Json params = Json::array()) -> Json {
      auto answer = call(method, std::move(params));
      if (!answer && error.empty()) error = answer.error().message;
      return answer ? *answer : Json();
    };
    answers.status = ask("status");
    if (!answers.status.is_null()) {
      answers.counters = ask("stats.fetchn");
      answers.responses = ask("stats.responses");
      answers.latency = ask("stats.latency");
      answers.calls = ask("tm.list", Json::array({calls_max}));
      answers.gateways = ask("dispatcher.list");
    }
    auto snapshot = top::read(answers, Clock::now());
    snapshot.error = error;
    return snapshot;
  }

  std::string ladder(const std::string& call_id) {
    const auto answer = call("trace.call", Json::array({call_id, "ladder"}));
    return answer && answer->is_string() ? answer->get<std::string>() : answer ? std::string() : answer.error().message;
  }

 private:
  admin::RpcResult call(const char* method, Json params) {
    if (!client_) {
      auto connected = connect(options_);
      if (!connected) return admin::rpc_fail(connected.error().message);
      client_.emplace(std::move(*connected));
    }
    auto answer = client_->call(method, std::move(params), answer_deadline);
    // An error of the server has its own code; without an answer the connection is of no use any more.
    if (!answer && (answer.error().message.find("closed the connection") != std::string::npos ||
                    answer.error().message.find("did not answer") != std::string::npos))
      client_.reset();
    return answer;
  }

  const ClientOptions& options_;
  std::optional<admin::RpcClient> client_;
};

Key key_of(char character) {
  switch (character) {
    case 'q':
      return Key::Quit;
    case 's':
      return Key::Sort;
    case 'r':
      return Key::Reverse;
    case '/':
      return Key::Filter;
    case 'k':
      return Key::Up;
    case 'j':
      return Key::Down;
    default:
      return Key::None;
  }
}

}  // namespace

int show_top(const ClientOptions& options, double interval_s) {
  if (auto server = connect(options); !server) return complain(options, {admin::rpc_code::failed, server.error().message});
  if (!isatty(STDOUT_FILENO)) return complain(options, {admin::rpc_code::failed, "top needs a terminal"});
  const auto interval = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval_s));
  Source source(options);
  Screen screen;
  Terminal terminal;
  for (auto next = Clock::now();;) {
    if (Clock::now() >= next) {
      screen.take(source.look());
      if (!screen.detail().empty()) screen.set_ladder(source.ladder(screen.detail()));
      next = Clock::now() + interval;
    }
    terminal.draw(screen);
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
    const auto pressed = terminal.read(static_cast<int>(std::max<std::int64_t>(wait, 1)));
    if (!pressed) continue;
    const Key key = pressed->first == Key::None && !screen.is_typing() ? key_of(pressed->second) : pressed->first;
    const auto detail = screen.detail();
    if (!screen.press(key, pressed->second)) return 0;
    if (screen.detail() != detail && !screen.detail().empty()) screen.set_ladder(source.ladder(screen.detail()));
  }
}

}  // namespace perdure::app
