#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "trace/call.hpp"

namespace perdure::trace {
namespace {

constexpr std::size_t column_width = 27, time_width = 14;
constexpr std::string_view self = "perdure";

// "INVITE", "180 Ringing", "200 OK (BYE)"
std::string label_of(std::string_view message) {
  const std::string_view line = message.substr(0, message.find_first_of("\r\n"));
  constexpr std::string_view version = "SIP/2.0 ";
  if (!line.starts_with(version)) return std::string(line.substr(0, line.find(' ')));
  std::string label(line.substr(version.size()));
  for (const std::string_view header : {"\nCSeq:", "\nCSEQ:", "\ncseq:", "\nCseq:"}) {
    const std::size_t at = message.find(header);
    if (at == message.npos) continue;
    const std::string_view value = message.substr(at, message.find_first_of("\r\n", at + 1) - at);
    if (const auto method = value.substr(value.find_last_of(' ') + 1); method != "INVITE") label += fmt::format(" ({})", method);
    break;
  }
  return label;
}

// Peers send what they like: nothing of it may steer a terminal.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return out;
}

std::string time_text(std::int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:%H:%M:%S}.{:03d}", parts, wall_us / 1000 % 1000);
}

// `columns` bars; an arrow with the label between the two given ones.
std::string arrow_line(std::size_t columns, std::size_t from, std::size_t to, std::string label) {
  std::string line(column_width * columns, ' ');
  const auto middle = [](std::size_t column) { return column * column_width + column_width / 2; };
  for (std::size_t i = 0; i < columns; ++i) line[middle(i)] = '|';
  const std::size_t left = middle(std::min(from, to)) + 1, right = middle(std::max(from, to)) - 1;
  std::fill(line.begin() + static_cast<std::ptrdiff_t>(left), line.begin() + static_cast<std::ptrdiff_t>(right) + 1, '-');
  line[from < to ? right : left] = from < to ? '>' : '<';
  const std::size_t room = right - left - 3;
  if (label.size() > room - 2) label.resize(room - 2);
  label = ' ' + label + ' ';
  line.replace(left + 2 + (room - label.size()) / 2, label.size(), label);
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

std::string ladder(const std::vector<StoredEntry>& entries) {
  // Who spoke first stands left of this server, the others right of it.
  std::vector<std::string> peers;
  const auto peer_of = [](const Entry& entry) { return fmt::format("{}:{}", name(entry.transport), entry.remote.text()); };
  for (const auto& one : entries) {
    if (one.entry.kind == EntryKind::Start) continue;
    if (const auto peer = peer_of(one.entry); std::ranges::find(peers, peer) == peers.end()) peers.push_back(peer);
  }
  if (peers.empty()) return {};
  std::vector<std::string> titles = peers;
  titles.insert(titles.begin() + 1, std::string(self));
  std::string out(time_width, ' ');
  for (const auto& title : titles) out += fmt::format("{:^{}.{}}", title, column_width, column_width - 1);
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
  for (const auto& one : entries) {
    const Entry& entry = one.entry;
    out += fmt::format("{:<{}}", time_text(entry.wall_us), time_width);
    if (entry.kind == EntryKind::Start) {
      out += fmt::format("=== {} ===\n", printable(one.bytes));
      continue;
    }
    const auto index = static_cast<std::size_t>(std::ranges::find(peers, peer_of(entry)) - peers.begin());
    const std::size_t peer = index == 0 ? 0 : index + 1;
    const bool in = entry.kind == EntryKind::Received;
    out += arrow_line(titles.size(), in ? peer : 1, in ? 1 : peer, printable(label_of(one.bytes))) + '\n';
  }
  return out;
}

}  // namespace perdure::trace
