#include <fmt/format.h>

#include <string_view>

#include "net/sql_types.hpp"
#include "net/url_escape.hpp"

namespace perdure::net {
namespace {

// What neither connection string can be broken by.
bool is_plain(std::string_view text) {
  return text.find_first_of(std::string_view("'\"\\ \t\r\n\0", 8)) == std::string_view::npos;
}

std::int64_t seconds_of(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

}  // namespace

Result<SqlTarget> SqlTarget::parse(const SqlOptions& options) {
  const std::string_view url = options.url;
  const auto bad = [](std::string_view why) { return fail(fmt::format("the URL of the database {}", why)); };
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return bad("is none: it begins with sqlite://, postgres:// or mysql://");
  const std::string_view scheme = url.substr(0, colon);
  std::string_view rest = url.substr(colon + 3);
  if (scheme == "sqlite") {
    if (!rest.starts_with('/') || !is_plain(rest)) return bad("needs the absolute path of a file, without quotes and blanks");
    return SqlTarget{"sqlite3", std::string(rest)};
  }
  const bool postgres = scheme == "postgres" || scheme == "postgresql";
  if (!postgres && scheme != "mysql") return bad("begins with sqlite://, postgres:// or mysql://");
  std::string user, password, port;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view who = rest.substr(0, at);
    const std::size_t split = who.find(':');
    const auto name = unescape_url(who.substr(0, split));
    const auto secret = unescape_url(split == std::string_view::npos ? std::string_view{} : who.substr(split + 1));
    if (!name || !secret) return bad("has a % without two digits");
    user = *name;
    password = *secret;
    rest.remove_prefix(at + 1);
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return bad("names no database");
  const std::string_view database = rest.substr(slash + 1);
  std::string_view host = rest.substr(0, slash);
  if (const std::size_t split = host.rfind(':'); split != std::string_view::npos && !host.ends_with(']')) {
    port = host.substr(split + 1);
    host = host.substr(0, split);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  for (const std::string_view part : {std::string_view(user), std::string_view(password), std::string_view(port), host, database})
    if (!is_plain(part)) return bad("has quotes, backslashes or blanks in it");
  if (host.empty()) host = "localhost";
  SqlTarget target{postgres ? "postgresql" : "mysql", fmt::format("host={} dbname={}", host, database)};
  if (!port.empty()) target.text += " port=" + port;
  if (!user.empty()) target.text += " user=" + user;
  if (!password.empty()) target.text += fmt::format(" password='{}'", password);
  // A server that is gone without a word must not hold a connection of the pool for ever.
  if (postgres)
    target.text += " connect_timeout=5 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000";
  else
    target.text += fmt::format(" connect_timeout=5 read_timeout={0} write_timeout={0}", seconds_of(options.statement_timeout) + 1);
  return target;
}

}  // namespace perdure::net
