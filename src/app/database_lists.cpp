#include "app/database_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "base/text_file.hpp"
#include "net/sql_pool.hpp"

namespace perdure::app {
namespace {

constexpr Duration longest = 30s;  // of a query that reads a whole table
constexpr std::size_t bytes_max = 1ULL << 30;
const std::atomic<bool> never{false};

// All rows of a query, by a connection of its own: those for scripts give results of a few rows only. `section` stands in errors.
Result<net::SqlRows> read(const Config& config, std::string_view database, std::string query, std::size_t rows_max,
                          std::string_view section, const std::atomic<bool>& stopping = never) {
  const auto found = std::ranges::find(config.databases, database, &Config::Database::name);
  if (found == config.databases.end()) return fail(fmt::format("{}: there is no section [sql.{}]", section, database));
  net::SqlOptions options = found->options;
  options.connections = 1;
  options.rows_max = rows_max;
  options.bytes_max = bytes_max;
  options.statement_timeout = longest;
  auto pool = net::SqlPool::create(std::move(options));
  if (!pool) return fail(fmt::format("[sql.{}]: {}", database, pool.error().message));
  std::promise<Result<net::SqlRows>> answer;
  auto answered = answer.get_future();
  (*pool)->query(std::move(query), longest, [&](Result<net::SqlRows> rows) { answer.set_value(std::move(rows)); });
  while (answered.wait_for(20ms) != std::future_status::ready && !stopping.load()) continue;
  pool->reset();  // now it is answered in any case, and `answer` not used any more
  auto rows = answered.get();
  if (!rows) return fail(fmt::format("{}: {}", section, rows.error().message));
  return rows;
}

std::string text_of(const net::SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : std::string();
}

std::int64_t number_of(const net::SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const auto* real = std::get_if<double>(&value)) return static_cast<std::int64_t>(std::clamp(*real, -9e18, 9e18));
  return number_from<std::int64_t>(text_of(value)).value_or(0);
}

// A column that may be missing in the table is read as a constant.
std::string column(const std::string& name, std::string_view otherwise) {
  return name.empty() ? std::string(otherwise) : name;
}

}  // namespace

Result<LoadedTable> load_htable(const Config& config, const Config::TableSource& source, std::int64_t wall_us,
                                const std::atomic<bool>& stopping) {
  const auto section = fmt::format("[htable.{}]", source.htable);
  const auto options = std::ranges::find(config.htables, source.htable, &htable::TableOptions::name);
  auto rows = read(config, source.database,
                   fmt::format("SELECT {}, {}, {}, {}, {} FROM {}", source.key, source.value, column(source.value_type, "-1"),
                               column(source.key_type, "0"), column(source.expires, "0"), source.table),
                   std::size_t{options->entries_max} + 1, section, stopping);
  if (!rows) return std::unexpected(rows.error());
  LoadedTable loaded;
  std::vector<std::pair<std::string, std::int64_t>> sizes;  // of arrays
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    const auto& row = rows->rows[i];
    std::string key = text_of(row[0]);
    const std::int64_t type = number_of(row[2]), expires_us = number_of(row[4]) > 0 ? number_of(row[4]) * 1'000'000 : 0;
    if (key.empty() || key.size() > htable::key_bytes_max)
      return fail(fmt::format("{}: row {} of {} has a key that is empty or too long", section, i + 1, source.table));
    if (expires_us && expires_us <= wall_us) continue;
    if (number_of(row[3]) == 1) {  // an element of an array, as Kamailio has it
      auto size = std::ranges::find(sizes, key, &std::pair<std::string, std::int64_t>::first);
      if (size == sizes.end()) size = sizes.insert(sizes.end(), {key, 0});
      key += fmt::format("[{}]", size->second++);
    }
    const bool is_number = type == 1 || (type == -1 && std::holds_alternative<std::int64_t>(row[1]));
    auto value = is_number ? Value::of(number_of(row[1])) : Value::of(std::string_view(text_of(row[1])));
    if (value.text.size() > htable::text_bytes_max) return fail(fmt::format("{}: the value of '{}' is too long", section, key));
    if (expires_us) loaded.lifetimes.emplace_back(key, Duration(expires_us - wall_us));
    loaded.entries.emplace_back(std::move(key), std::move(value));
  }
  for (auto& [key, size] : sizes) loaded.entries.emplace_back(key + "::size", Value::of(size));
  if (loaded.entries.size() > options->entries_max)
    return fail(fmt::format("{}: the table is too small for {} entries", section, loaded.entries.size()));
  return loaded;
}

Result<permissions::AddressList> load_addresses(const Config& config) {
  const auto& table = config.permissions.address_table;
  auto rows = read(config, config.permissions.database, fmt::format("SELECT grp, ip_addr, mask, port, tag FROM {}", table),
                   permissions::entries_max + 1, "[permissions]");
  if (!rows) return std::unexpected(rows.error());
  std::vector<permissions::AddressList::Row> list;
  for (const auto& row : rows->rows) list.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4])});
  return permissions::AddressList::make(list, "table " + table);
}

Result<permissions::TrustedList> load_trusted(const Config& config) {
  const auto& table = config.permissions.trusted_table;
  auto rows = read(config, config.permissions.database,
                   fmt::format("SELECT src_ip, proto, from_pattern, ruri_pattern, tag, priority FROM {}", table),
                   permissions::trusted_max + 1, "[permissions]");
  if (!rows) return std::unexpected(rows.error());
  std::vector<permissions::TrustedRow> list;
  for (const auto& row : rows->rows)
    list.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]), number_of(row[5])});
  return permissions::TrustedList::make(std::move(list), "table " + table);
}

Result<dialplan::Rules> load_rules(const Config& config) {
  const auto& table = config.dialplan.table;
  auto rows = read(config, config.dialplan.database,
                   fmt::format("SELECT dpid, pr, match_op, match_exp, match_len, subst_exp, repl_exp, attrs FROM {}", table),
                   dialplan::rules_max + 1, "[dialplan]");
  if (!rows) return std::unexpected(rows.error());
  std::vector<dialplan::Rules::Row> list;
  for (const auto& row : rows->rows) {
    auto& fields = list.emplace_back();
    for (std::size_t i = 0; i < fields.size(); ++i) fields[i] = text_of(row[i]);
  }
  return dialplan::Rules::make(std::move(list), "table " + table);
}

Result<prefix::Tree> load_tree(const Config& config, const prefix::TreeOptions& options) {
  auto rows = read(config, options.database, fmt::format("SELECT tprefix, tvalue FROM {}", options.table), prefix::prefixes_max + 1,
                   fmt::format("[mtree.{}]", options.name));
  if (!rows) return std::unexpected(rows.error());
  std::vector<std::pair<std::string, std::string>> list;
  for (const auto& row : rows->rows) list.emplace_back(text_of(row[0]), text_of(row[1]));
  return prefix::Tree::make(list, options, "table " + options.table);
}

}  // namespace perdure::app
