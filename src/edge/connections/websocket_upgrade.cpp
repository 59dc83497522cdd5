// RFC 6455 4.2, by hand: a few lines of HTTP that are never more than that.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/case.hpp"
#include "edge/connections/websocket.hpp"

namespace perdure::edge {
namespace {

using Kind = UpgradeResult::Kind;

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether a comma-separated list has that token.
bool lists(std::string_view list, std::string_view token) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (equals_ignore_case(trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

struct Request {
  bool well_formed = false, upgrade = false, connection = false, sip = false;
  int keys = 0;
  std::string_view method, version, key, websocket_version, origin;
};

Request parse(std::string_view head) {
  Request request;
  std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return request;
  request.method = line.substr(0, first);
  request.version = line.substr(last + 1);
  while (end + 2 < head.size()) {
    const std::size_t begin = end + 2;
    end = head.find("\r\n", begin);
    const std::string_view field = head.substr(begin, end - begin);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || colon == 0 || field.front() == ' ' || field.front() == '\t') return request;
    const std::string_view name = field.substr(0, colon), value = trim(field.substr(colon + 1));
    if (equals_ignore_case(name, "upgrade"))
      request.upgrade = request.upgrade || lists(value, "websocket");
    else if (equals_ignore_case(name, "connection"))
      request.connection = request.connection || lists(value, "upgrade");
    else if (equals_ignore_case(name, "sec-websocket-protocol"))
      request.sip = request.sip || lists(value, "sip");
    else if (equals_ignore_case(name, "sec-websocket-version"))
      request.websocket_version = value;
    else if (equals_ignore_case(name, "origin"))
      request.origin = value;
    else if (equals_ignore_case(name, "sec-websocket-key")) {
      request.key = value;
      ++request.keys;
    }
  }
  request.well_formed = true;
  return request;
}

// 16 bytes in base64 (4.1).
bool is_key(std::string_view key) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_good);
}

std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  (void)EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

UpgradeResult refuse(std::string_view status, std::string_view more = {}) {
  UpgradeResult result;
  result.kind = Kind::Refused;
  result.reply = fmt::format("HTTP/1.1 {}\r\n{}Connection: close\r\nContent-Length: 0\r\n\r\n", status, more);
  return result;
}

}  // namespace

UpgradeResult read_upgrade(std::string_view bytes, const std::vector<std::string>& origins) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos && bytes.size() < upgrade_bytes_max) return {};
  if (end == std::string_view::npos || end > upgrade_bytes_max) return refuse("431 Request Header Fields Too Large");
  const Request request = parse(bytes.substr(0, end + 2));
  if (!request.well_formed) return refuse("400 Bad Request");
  if (request.method != "GET") return refuse("405 Method Not Allowed", "Allow: GET\r\n");
  if (request.version != "HTTP/1.1") return refuse("505 HTTP Version Not Supported");
  if (!request.upgrade || !request.connection) return refuse("426 Upgrade Required", "Upgrade: websocket\r\n");
  if (request.websocket_version != "13") return refuse("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  if (request.keys != 1 || !is_key(request.key)) return refuse("400 Bad Request");
  if (!request.sip) return refuse("400 Bad Request");  // RFC 7118 4.1
  const auto is_origin = [&](const std::string& origin) { return equals_ignore_case(origin, request.origin); };
  if (!origins.empty() && std::ranges::none_of(origins, is_origin)) return refuse("403 Forbidden");
  UpgradeResult result;
  result.kind = Kind::Accepted;
  result.consumed = end + 4;
  result.reply = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n"
      "Sec-WebSocket-Protocol: sip\r\n\r\n",
      accept_key(request.key));
  return result;
}

}  // namespace perdure::edge
