#include "app/top/screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/table.hpp"

namespace perdure::app::top {
namespace {

using Look = Line::Look;

std::string ms_text(const std::map<std::string, metrics::Distribution>& latency, const char* name, double share) {
  const auto found = latency.find(name);
  if (found == latency.end() || found->second.count() == 0) return "-";
  return duration_text(static_cast<std::int64_t>(found->second.quantile_ns(share) / 1000));
}

// Numbers by their size, texts by their letters.
bool is_less(const std::string& a, const std::string& b) {
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  };
  if (is_number(a) && is_number(b)) return std::stod(a) < std::stod(b);
  return a < b;
}

}  // namespace

std::string fitted(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size() && characters < width; ++characters) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = byte < 0x80 ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 0;
    bool whole = length > 0 && i + length <= text.size();
    for (std::size_t k = 1; whole && k < length; ++k) whole = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    const bool control = byte < 0x20 || byte == 0x7f || (whole && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    out += whole && !control ? std::string(text.substr(i, length)) : "?";
    i += whole ? length : 1;
  }
  return out;
}

void Screen::take(Snapshot snapshot) {
  before_ = std::move(now_);
  now_ = std::move(snapshot);
  rates_ = between(before_, now_);
}

bool Screen::press(Key key, char character) {
  if (typing_) {
    if (key == Key::Enter) typing_ = false;
    if (key == Key::Back) {
      typing_ = false;
      filter_.clear();
    }
    if (key == Key::Erase && !filter_.empty()) filter_.pop_back();
    if (key == Key::None && character >= ' ' && filter_.size() < 64) filter_ += character;
    return true;
  }
  std::size_t& at = detail_.empty() ? chosen_ : scrolled_;
  switch (key) {
    case Key::Quit:
      return false;
    case Key::Up:
      at -= at > 0 ? 1 : 0;
      break;
    case Key::Down:
      ++at;
      break;
    case Key::PageUp:
      at -= std::min(at, page_);
      break;
    case Key::PageDown:
      at += page_;
      break;
    case Key::Enter:
      if (tab_ == Tab::Calls && detail_.empty() && chosen_ < shown_.size()) {
        detail_ = shown_[chosen_].key;
        ladder_.clear();
        scrolled_ = 0;
      }
      break;
    case Key::Back:
      if (detail_.empty())
        filter_.clear();
      else
        detail_.clear();
      break;
    case Key::NextTab:
      tab_ = static_cast<Tab>((static_cast<int>(tab_) + 1) % 3);
      detail_.clear();
      chosen_ = first_ = sort_ = 0;
      break;
    case Key::Sort:
      sort_ = (sort_ + 1) % titles().size();
      break;
    case Key::Reverse:
      reversed_ = !reversed_;
      break;
    case Key::Filter:
      typing_ = detail_.empty();
      break;
    case Key::None:
    case Key::Erase:
      break;
  }
  return true;
}

std::string Screen::states_text() const {
  std::map<std::string, std::size_t> states;
  for (const auto& call : now_.calls) ++states[call.state];
  std::string text;
  for (const auto& [state, count] : states) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  return text.empty() ? "none in progress" : text;
}

void Screen::add_head(std::vector<Line>& lines) const {
  if (!now_.reached) {
    lines.push_back({fmt::format("perdure: {}", now_.error), Look::Alarm});
    return;
  }
  lines.push_back({fmt::format("perdure {}  up {}  engine {}  {}  {}", now_.version, uptime_text(static_cast<std::int64_t>(now_.uptime_s)),
                               now_.engine ? std::to_string(now_.engine) : "none", now_.drain, now_.listen),
                   now_.drain.empty() && now_.engine ? Look::Title : Look::Alarm});
  const auto rate = [&](const char* counter) { return rates_.per_second(counter); };
  lines.push_back({fmt::format("per second  requests {:.0f}  responses {:.0f}  transactions {:.0f}  again {:.0f}  script errors {:.0f}",
                               rate("proxy.requests"), rate("proxy.responses"), rate("proxy.transactions_created"),
                               rate("proxy.retransmissions_absorbed"), rate("proxy.script_errors"))});
  std::string codes;
  std::vector<std::pair<double, std::string>> by_rate;
  for (const auto& [code, value] : rates_.codes)
    if (value > 0) by_rate.emplace_back(value, code);
  std::ranges::sort(by_rate, std::greater());
  for (const auto& [value, code] : by_rate) codes += fmt::format("  {} {:.0f}", code, value);
  lines.push_back({"answers" + (codes.empty() ? "  none" : codes)});
  const auto pair = [&](const char* name) { return ms_text(rates_.latency, name, 0.5) + " / " + ms_text(rates_.latency, name, 0.99); };
  lines.push_back(
      {fmt::format("p50 / p99  added {}  ringing {}  answer {}", pair("added_latency"), pair("post_dial_delay"), pair("call_setup"))});
  lines.push_back({fmt::format("p50 / p99  script {}  commit {}", pair("script"), pair("commit"))});
  lines.push_back({fmt::format("open  {} transactions, {} callbacks wait; calls: {}", now_.open, now_.waiting, states_text())});
  std::string connections;
  for (const auto& [transport, count] : now_.connections) connections += fmt::format("  {} {}", transport, count);
  lines.push_back({fmt::format("store {} of {}{}{}", bytes_text(now_.store_used), bytes_text(now_.store_max),
                               connections.empty() ? "" : "  connections", connections)});
  lines.push_back(
      {fmt::format("engines {}{}", now_.starts,
                   now_.starts > 1 ? fmt::format("  last one after {}: pause {}, recovered {}  longest pause {}", now_.last_reason,
                                                 duration_text(static_cast<std::int64_t>(now_.last_pause_us)), now_.recovered,
                                                 duration_text(static_cast<std::int64_t>(now_.longest_pause_us)))
                                   : "")});
}

std::vector<std::string> Screen::titles() const {
  switch (tab_) {
    case Tab::Calls:
      return {"AGE_S", "METHOD", "STATE", "CALL-ID", "URI", "BRANCHES"};
    case Tab::Gateways:
      return {"SET", "STATE", "LOAD", "FAILURES", "URI"};
    case Tab::Responses:
      break;
  }
  return {"REQUEST", "CODE", "PER_SECOND", "TOTAL"};
}

std::vector<Screen::Row> Screen::call_rows() const {
  std::vector<Row> rows;
  for (const auto& call : now_.calls)
    rows.push_back(
        {call.call_id,
         {fmt::format("{:.1f}", static_cast<double>(call.age_ms) / 1000), call.method, call.state, call.call_id, call.uri, call.branches}});
  return rows;
}

std::vector<Screen::Row> Screen::gateway_rows() const {
  std::vector<Row> rows;
  for (const auto& gateway : now_.gateways)
    rows.push_back(
        {gateway.uri, {gateway.set, gateway.state, std::to_string(gateway.load), std::to_string(gateway.failures), gateway.uri}});
  return rows;
}

std::vector<Screen::Row> Screen::response_rows() const {
  std::vector<Row> rows;
  for (const auto& [name, total] : now_.codes) {
    const auto rate = rates_.codes.find(name);
    const auto space = name.find(' ');
    rows.push_back({name,
                    {name.substr(0, space), name.substr(space + 1), fmt::format("{:.1f}", rate == rates_.codes.end() ? 0 : rate->second),
                     std::to_string(total)}});
  }
  return rows;
}

std::vector<Screen::Row> Screen::rows() const {
  auto all = tab_ == Tab::Calls ? call_rows() : tab_ == Tab::Gateways ? gateway_rows() : response_rows();
  std::erase_if(all, [&](const Row& row) {
    return !filter_.empty() &&
           std::ranges::none_of(row.cells, [&](const std::string& cell) { return cell.find(filter_) != std::string::npos; });
  });
  const bool down = (sort_ == 0 && tab_ == Tab::Calls) != reversed_;  // the oldest call first
  std::ranges::stable_sort(all, [&](const Row& a, const Row& b) {
    return down ? is_less(b.cells[sort_], a.cells[sort_]) : is_less(a.cells[sort_], b.cells[sort_]);
  });
  return all;
}

void Screen::add_table(std::vector<Line>& lines, std::size_t width, std::size_t height) {
  shown_ = rows();
  const auto heads = titles();
  constexpr const char* tabs[] = {"calls", "gateways", "responses"};
  lines.push_back({fmt::format("[{}]  {} rows  sorted by {}{}  filter: {}{}", tabs[static_cast<int>(tab_)], shown_.size(), heads[sort_],
                               reversed_ ? " (reversed)" : "", filter_.empty() && !typing_ ? "none" : filter_, typing_ ? "_" : "")});
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    std::size_t widest = heads[i].size();
    for (const auto& row : shown_) widest = std::max(widest, row.cells[i].size());
    widths.push_back(std::min(widest, std::max<std::size_t>(width / 3, 8)));
  }
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) text += fmt::format("{:<{}} ", fitted(cells[i], widths[i]), widths[i]);
    return text;
  };
  lines.push_back({line_of(heads), Look::Title});
  page_ = height > lines.size() + 1 ? height - lines.size() - 1 : 1;
  chosen_ = shown_.empty() ? 0 : std::min(chosen_, shown_.size() - 1);
  first_ = std::clamp(first_, chosen_ >= page_ ? chosen_ - page_ + 1 : 0, chosen_);
  for (std::size_t i = first_; i < std::min(first_ + page_, shown_.size()); ++i)
    lines.push_back({line_of(shown_[i].cells), i == chosen_ ? Look::Chosen : Look::Plain});
}

void Screen::add_detail(std::vector<Line>& lines, std::size_t height) {
  lines.push_back({"call " + detail_, Look::Title});
  std::string text = ladder_;
  for (const auto& call : now_.calls)
    if (call.call_id == detail_)
      text = fmt::format("{} {} from {} to {}\n{}, {:.1f} s; {}\n\n", call.method, call.uri, call.from, call.to, call.state,
                         static_cast<double>(call.age_ms) / 1000, call.branches.empty() ? "no branches" : call.branches) +
             text;
  std::vector<std::string> all;
  for (std::size_t from = 0; from < text.size();) {
    const auto end = std::min(text.find('\n', from), text.size());
    all.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  page_ = height > lines.size() + 1 ? height - lines.size() - 1 : 1;
  scrolled_ = std::min(scrolled_, all.size() > page_ ? all.size() - page_ : 0);
  for (std::size_t i = scrolled_; i < std::min(scrolled_ + page_, all.size()); ++i) lines.push_back({all[i]});
}

std::vector<Line> Screen::lines(std::size_t width, std::size_t height) {
  std::vector<Line> lines;
  add_head(lines);
  if (now_.reached) {
    if (detail_.empty())
      add_table(lines, width, height);
    else
      add_detail(lines, height);
  }
  lines.resize(std::max<std::size_t>(height, 1) - 1);
  lines.push_back(
      {detail_.empty() ? "Tab table  s sort  r reverse  / filter  Enter ladder of a call  q quit" : "arrows scroll  Esc back  q quit",
       Look::Title});
  for (auto& line : lines) line.text = fitted(line.text, width);
  return lines;
}

}  // namespace perdure::app::top
