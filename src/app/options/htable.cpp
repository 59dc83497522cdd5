#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

template <std::string Config::TableSource::*member, bool optional>
Result<> set_table_source(Config& config, std::string_view text) {
  if (auto checked = check_sql_name(text, optional); !checked) return checked;
  config.table_sources.back().*member = text;
  return {};
}

const Option table[] = {
    {"htable.*", "autoexpire", R"("0s")", "How long an entry lives after its last change. 0: until it is removed. (Kamailio's autoexpire)",
     DurationOption{[](Config& c) -> Duration& { return c.htables.back().autoexpire; }, 0s, 87600h}},
    {"htable.*", "initval", "", "Value of a key that is not there, and what sht_inc begins with.",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.htables.back().initval; }}},
    {"htable.*", "updateexpire", "true", "A change of the value begins `autoexpire` anew.",
     BooleanOption{[](Config& c) -> bool& { return c.htables.back().update_expire; }}},
    {"htable.*", "max_entries", "100000", "Most entries. When there are so many, a further one is refused (-1) and counted.",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.htables.back().entries_max; }, 1, 100'000'000}},
    {"htable.*", "max_bytes", R"("64MiB")", "Most bytes of keys and texts, with 128 bytes for each entry.",
     SizeOption{[](Config& c) -> std::uint64_t& { return c.htables.back().bytes_max; }, 4ULL << 10, 64ULL << 30}},
    {"htable.*", "persist", "false",
     "The table lives in the store: it survives the death of the engine at any instruction, a restart and, with `durability = \"host\"`, "
     "the "
     "machine. Each change is one commit.",
     BooleanOption{[](Config& c) -> bool& { return c.htables.back().persist; }}},
    {"htable.*", "load", "",
     "File with the first entries, a line each: `key i:5` or `key s:text`; a key with blanks stands in quotes. Read at the start, by a "
     "persistent table only if it is empty, and by the method `htable.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.htables.back().load; }}},

    {"htable.*", "db", "",
     "Name of a database, [sql.NAME]: the table begins with the rows of `db_table`, a persistent one only if it is empty. They are read "
     "before `ready`, and an error is one of the start; the method `htable.reload` reads them again. An engine that takes over begins with "
     "what was read when it was made, and takes what has changed since within the next second.",
     TextOption{[](Config& c, std::string_view text) -> Result<> {
       if (auto checked = check_name(text); !checked) return checked;
       c.table_sources.back().database = text;
       return {};
     }}},
    {"htable.*", "db_table", R"("htable")", "The table in the database, with Kamailio's columns unless the next options say otherwise.",
     TextOption{set_table_source<&Config::TableSource::table, false>}},
    {"htable.*", "db_key", R"("key_name")", "Column of the keys.", TextOption{set_table_source<&Config::TableSource::key, false>}},
    {"htable.*", "db_value", R"("key_value")", "Column of the values.", TextOption{set_table_source<&Config::TableSource::value, false>}},
    {"htable.*", "db_value_type", R"("value_type")",
     "Column that says what the value is: 0 a text, 1 a number. Empty: it is what the database says.",
     TextOption{set_table_source<&Config::TableSource::value_type, true>}},
    {"htable.*", "db_key_type", R"("key_type")",
     "Column that says what the key is: 0 a key, 1 that of an array, whose elements become `key[0]`, `key[1]` … and `key::size`. Empty: "
     "all "
     "are keys.",
     TextOption{set_table_source<&Config::TableSource::key_type, true>}},
    {"htable.*", "db_expires", R"("expires")",
     "Column with the end of the entry in seconds since 1970, 0 for never. Empty: as `autoexpire` says.",
     TextOption{set_table_source<&Config::TableSource::expires, true>}},
};

}  // namespace

Result<> begin_htable(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.htables.size() >= htable::tables_max) return fail(fmt::format("more than {} hash tables", htable::tables_max));
  config.htables.emplace_back().name = name;
  config.table_sources.emplace_back().htable = name;
  return {};
}

std::span<const Option> htable_options() {
  return table;
}

}  // namespace perdure::app
