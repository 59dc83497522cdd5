// KSR.htable: hash tables that all workers share.
#include "htable/tables.hpp"

#include <algorithm>

#include "base/logging.hpp"
#include "proxy/routing_context.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

using htable::Change;
using htable::Table;

constexpr std::int64_t no_number = -255;  // what sht_inc and sht_dec give for nothing to count
constexpr std::int64_t lifetime_seconds_max = 10LL * 366 * 86'400;

// Logged and -1, as in Kamailio: a script goes on with a table that is not configured.
Table* table_of(Call& call, std::size_t argument = 0) {
  Table* const table = call.vm.tables().find(call.text(argument));
  if (!table) log::error("script: there is no hash table {}", call.text(argument));
  return table;
}

Duration seconds(std::int64_t number) {
  return std::chrono::seconds(std::clamp<std::int64_t>(number, 0, lifetime_seconds_max));
}

Time now(const Call& call) {
  return call.context().now;
}

enum class Missing { Nil, Empty, Word };

template <Missing missing>
int get(Call& call) {
  perdure::Value value;
  Table* const table = table_of(call);
  if (table && (table->get(call.text(1), now(call), value) || table->has_initval()))
    return value.is_number ? call.give(value.number) : call.give(value.text);
  if (missing == Missing::Empty) return call.give(std::string_view{});
  if (missing == Missing::Word) return call.give(std::string_view("<null>"));
  return 1;
}

int is_null(Call& call) {
  Table* const table = table_of(call);
  if (!table) return 2;
  perdure::Value value;
  if (table->get(call.text(1), now(call), value)) return -1;
  return table->has_initval() ? -2 : 1;
}

bool set(Table& table, Call& call, std::string_view key, const perdure::Value& value, Duration lifetime = Duration::zero()) {
  const Change done = table.set(key, value, now(call), lifetime);
  if (done == Change::TooLong) log::error("script: a key or text is too long for hash table {}", table.name());
  return done == Change::Done;
}

int set_text(Call& call) {
  Table* const table = table_of(call);
  return table && set(*table, call, call.text(1), perdure::Value::of(call.text(2))) ? 1 : -1;
}
int set_number(Call& call) {
  Table* const table = table_of(call);
  return table && set(*table, call, call.text(1), perdure::Value::of(call.number(2))) ? 1 : -1;
}
int set_text_for(Call& call) {
  Table* const table = table_of(call);
  return table && set(*table, call, call.text(1), perdure::Value::of(call.text(2)), seconds(call.number(3))) ? 1 : -1;
}
int set_number_for(Call& call) {
  Table* const table = table_of(call);
  return table && set(*table, call, call.text(1), perdure::Value::of(call.number(2)), seconds(call.number(3))) ? 0 : -1;
}

int set_lifetime(Call& call) {
  Table* const table = table_of(call);
  if (!table) return -1;
  (void)table->set_lifetime(call.text(1), seconds(call.number(2)), now(call));
  return 1;
}

template <std::int64_t amount>
int add(Call& call) {
  Table* const table = table_of(call);
  std::int64_t result = no_number;
  if (table && table->add(call.text(1), amount, now(call), result) != Change::Done) result = no_number;
  return call.give(result);
}

int remove(Call& call) {
  Table* const table = table_of(call);
  if (!table) return -1;
  (void)table->erase(call.text(1));
  return 1;
}

int reset(Call& call) {
  Table* const table = table_of(call);
  if (!table) return -1;
  table->clear();
  return 0;
}

// ---- by pattern ----

enum class Of { Name, Text };

bool matches(Call& call, std::string_view operation, std::string_view pattern, std::string_view text) {
  if (operation == "eq") return text == pattern;
  if (operation == "ne") return text != pattern;
  if (operation == "sw") return text.starts_with(pattern);
  return call.vm.regexes().match(pattern, text) == RegexCache::Match::Yes;
}

// False, and a log line: the operator is none of `known`, or the pattern is no regular expression.
bool is_good(Call& call, std::string_view operation, std::string_view pattern, std::initializer_list<std::string_view> known) {
  if (std::find(known.begin(), known.end(), operation) == known.end()) {
    log::warning("script: hash tables have no operator {}", operation);
    return false;
  }
  if (operation != "re" || call.vm.regexes().match(pattern, {}) != RegexCache::Match::BadPattern) return true;
  log::error("script: {} is no regular expression", pattern);
  return false;
}

template <Of of>
auto predicate(Call& call, std::string_view operation, std::string_view pattern) {
  return [&call, operation, pattern](const std::string& key, const perdure::Value& value) {
    if (of == Of::Name) return matches(call, operation, pattern, key);
    return !value.is_number && matches(call, operation, pattern, value.text);
  };
}

template <Of of>
int remove_matching(Call& call, std::string_view operation, std::string_view pattern) {
  Table* const table = table_of(call);
  if (!table || !is_good(call, operation, pattern, {"re", "sw"})) return -1;
  (void)table->erase_if(predicate<of>(call, operation, pattern), now(call));
  return 1;
}

template <Of of>
int match(Call& call) {
  Table* const table = table_of(call);
  if (!table || !is_good(call, call.text(1), call.text(2), {"eq", "ne", "re", "sw"})) return -1;
  perdure::Value value;
  // By its name an entry is found at once.
  if (of == Of::Name && call.text(1) == "eq") return table->get(call.text(2), now(call), value) ? 1 : -1;
  return table->count_if(predicate<of>(call, call.text(1), call.text(2)), now(call), 1) > 0 ? 1 : -1;
}

// ---- locks ----

std::string lock_name(const Call& call) {
  return std::string(call.text(0)) + '\0' + std::string(call.text(1));
}

int lock(Call& call) {
  if (!table_of(call)) return -1;
  const auto taken = call.vm.shared().locks.take(lock_name(call), call.run.locks(), true);
  if (taken != shared::NamedLocks::Taken::Yes)
    log::error("script: the lock of key {} in hash table {} cannot be had", call.text(1), call.text(0));
  return taken == shared::NamedLocks::Taken::Yes ? 1 : -1;
}
int unlock(Call& call) {
  return table_of(call) && call.vm.shared().locks.release(lock_name(call), call.run.locks()) ? 1 : -1;
}

// ---- iterators ----

int iterator_start(Call& call) {
  Table* const table = table_of(call, 1);
  if (!table) return -1;
  if (call.vm.table_iterators.start(call.text(0), *table)) return 1;
  log::error("script: more than {} iterators", TableIterators::iterators_max);
  return -1;
}

TableIterator* iterator(Call& call) {
  auto* const found = call.vm.table_iterators.find(call.text(0));
  if (!found) log::error("script: there is no iterator {}", call.text(0));
  return found;
}
// One that stands at an entry.
TableIterator* at_entry(Call& call) {
  auto* const found = iterator(call);
  return found && found->has_entry() ? found : nullptr;
}

int iterator_next(Call& call) {
  auto* const found = iterator(call);
  return found && found->next(now(call)) ? 1 : -1;
}
int iterator_end(Call& call) {
  return call.vm.table_iterators.end(call.text(0)) ? 1 : -1;
}
int iterator_remove(Call& call) {
  auto* const found = at_entry(call);
  if (!found) return -1;
  (void)found->table().erase(found->key());
  found->forget_entry();
  return 1;
}
int iterator_set(Call& call, perdure::Value value) {
  auto* const found = at_entry(call);
  if (!found || !set(found->table(), call, found->key(), value)) return -1;
  found->set_value(std::move(value));
  return 1;
}
int iterator_set_lifetime(Call& call) {
  auto* const found = at_entry(call);
  return found && found->table().set_lifetime(found->key(), seconds(call.number(1)), now(call)) ? 1 : -1;
}

constexpr auto integer = Returns::Integer;
constexpr std::string_view full = "A table that is full gives -1; Kamailio's grow without end.";
constexpr std::string_view any_lifetime = "Works without autoexpire, too; 0 seconds: never.";
constexpr std::string_view locks_end =
    "Waits 50 ms at most, then -1. It is a lock of this key only, keeps nobody from changing the entry, and is given back when the "
    "callback "
    "ends.";
constexpr std::string_view no_lock = "Other workers go on meanwhile: what they remove is passed over, what they add may be missed.";
constexpr std::string_view later = "Kamailio has it since a later version than 5.6.";

const Function table[] = {
    {"htable", "sht_get", "string table, string key", Returns::Value, routes::any,
     "The value of an entry: text or number; initval or nil if there is none.", "", get<Missing::Nil>},
    {"htable", "sht_gete", "string table, string key", Returns::Value, routes::any, "The same, but an empty text for nil.", "",
     get<Missing::Empty>},
    {"htable", "sht_getw", "string table, string key", Returns::Value, routes::any, "The same, but `<null>` for nil.", "",
     get<Missing::Word>},
    {"htable", "sht_is_null", "string table, string key", integer, routes::any,
     "1: there is no such entry; -1: there is; -2: there is none, but an initval; 2: there is no such table.", "", is_null},
    {"htable", "sht_sets", "string table, string key, string value", integer, routes::any, "Sets an entry to a text.", full, set_text},
    {"htable", "sht_seti", "string table, string key, int value", integer, routes::any, "Sets an entry to a number.", full, set_number},
    {"htable", "sht_setex", "string table, string key, int seconds", integer, routes::any,
     "Sets how long an entry still lives; 1 also if there is none.", any_lifetime, set_lifetime},
    {"htable", "sht_setxs", "string table, string key, string value, int seconds", integer, routes::any,
     "Sets an entry to a text and how long it lives, 0: autoexpire.", full, set_text_for},
    {"htable", "sht_setxi", "string table, string key, int value, int seconds", integer, routes::any,
     "Sets an entry to a number and how long it lives, 0: autoexpire. Gives 0, as Kamailio does.", full, set_number_for},
    {"htable", "sht_inc", "string table, string key", Returns::Value, routes::any,
     "Adds 1 to a number and gives the result; an entry that is not there begins with initval. -255: there is nothing to count.", "",
     add<1>},
    {"htable", "sht_dec", "string table, string key", Returns::Value, routes::any, "Subtracts 1, else as sht_inc.", "", add<-1>},
    {"htable", "sht_rm", "string table, string key", integer, routes::any, "Removes an entry; 1 also if there is none.", "", remove},
    {"htable", "sht_rm_name_re", "string table, string regex", integer, routes::any, "Removes the entries whose key matches.", "",
     [](Call& call) { return remove_matching<Of::Name>(call, "re", call.text(1)); }},
    {"htable", "sht_rm_value_re", "string table, string regex", integer, routes::any, "Removes the entries whose text matches.", "",
     [](Call& call) { return remove_matching<Of::Text>(call, "re", call.text(1)); }},
    {"htable", "sht_rm_name", "string table, string operator, string pattern", integer, routes::any,
     "Removes the entries whose key matches (`re`) or starts with (`sw`) the pattern.", "",
     [](Call& call) { return remove_matching<Of::Name>(call, call.text(1), call.text(2)); }},
    {"htable", "sht_rm_value", "string table, string operator, string pattern", integer, routes::any,
     "Removes the entries whose text matches (`re`) or starts with (`sw`) the pattern.", "",
     [](Call& call) { return remove_matching<Of::Text>(call, call.text(1), call.text(2)); }},
    {"htable", "sht_reset", "string table", integer, routes::any, "Removes all entries. Gives 0, as Kamailio does.", "", reset},
    {"htable", "sht_match_name", "string table, string operator, string pattern", integer, routes::any,
     "Some key equals (`eq`), differs from (`ne`), matches (`re`) or starts with (`sw`) the pattern.", "", match<Of::Name>},
    {"htable", "sht_match_str_value", "string table, string operator, string pattern", integer, routes::any,
     "The same for the texts of entries.", "", match<Of::Text>},
    {"htable", "sht_has_name", "string table, string operator, string pattern", integer, routes::any, "The same as sht_match_name.", later,
     match<Of::Name>},
    {"htable", "sht_has_str_value", "string table, string operator, string pattern", integer, routes::any,
     "The same as sht_match_str_value.", later, match<Of::Text>},
    {"htable", "sht_lock", "string table, string key", integer, routes::any,
     "Takes a lock that scripts of all workers respect who take it, too; one callback can take it several times.", locks_end, lock},
    {"htable", "sht_unlock", "string table, string key", integer, routes::any, "Gives it back; -1: it is not held.", "", unlock},
    {"htable", "sht_iterator_start", "string iterator, string table", integer, routes::any,
     "Begins to go through a table; at most 16 iterators at a time.", no_lock, iterator_start},
    {"htable", "sht_iterator_next", "string iterator", integer, routes::any,
     "Goes to the next entry, `$shtitkey(iterator)` and `$shtitval(iterator)`; -1: there is none.", no_lock, iterator_next},
    {"htable", "sht_iterator_end", "string iterator", integer, routes::any, "Ends an iterator; -1: there is none of that name.", "",
     iterator_end},
    {"htable", "sht_iterator_rm", "string iterator", integer, routes::any, "Removes the entry.", "", iterator_remove},
    {"htable", "sht_iterator_sets", "string iterator, string value", integer, routes::any, "Sets the entry to a text.", "",
     [](Call& call) { return iterator_set(call, perdure::Value::of(call.text(1))); }},
    {"htable", "sht_iterator_seti", "string iterator, int value", integer, routes::any, "Sets the entry to a number.", "",
     [](Call& call) { return iterator_set(call, perdure::Value::of(call.number(1))); }},
    {"htable", "sht_iterator_setex", "string iterator, int seconds", integer, routes::any, "Sets how long the entry still lives.", "",
     iterator_set_lifetime},
};

}  // namespace

std::span<const Function> htable_functions() {
  return table;
}

}  // namespace perdure::script
