#include "htable/tables.hpp"

#include <fmt/format.h>

#include <map>

#include "base/logging.hpp"
#include "htable/file.hpp"
#include "htable/record.hpp"

namespace perdure::htable {
namespace {

constexpr std::size_t swept_per_tick = 20'000;  // places of each table

Result<> put_all(Table& table, const Entries& entries, Time now, std::string_view path) {
  switch (table.replace(entries, now)) {
    case Change::Done:
    case Change::NoNumber:
      return {};
    case Change::Full:
      return fail(fmt::format("{}: hash table {} is too small for {} entries", path, table.name(), entries.size()));
    case Change::TooLong:
      return fail(fmt::format("{}: a key or text is too long", path));
  }
  return {};
}

}  // namespace

Tables::Tables(std::vector<TableOptions> options) {
  for (auto& one : options) tables_.push_back(std::make_unique<Table>(std::move(one)));
}

Table* Tables::find(std::string_view name) const {
  for (const auto& table : tables_)
    if (table->name() == name) return table.get();
  return nullptr;
}

bool Tables::any_persistent() const {
  for (const auto& table : tables_)
    if (table->options().persist) return true;
  return false;
}

std::vector<store::KindInfo> Tables::store_kinds() {
  return {store::kind_info<EntryHeader>()};
}

Tables::AttachReport Tables::attach(std::unique_ptr<store::Store> store, Time now, std::int64_t monotonic_us) {
  offset_ = store->now(monotonic_us) - now;
  backing_ = std::make_unique<Backing>(std::move(store));
  for (auto& table : tables_)
    if (table->options().persist) table->persist_in(*backing_, offset_);
  AttachReport report;
  std::map<std::string, std::uint64_t, std::less<>> orphans;
  for (std::uint32_t i = 0; i < backing_->store->partition_count(); ++i) {
    auto& partition = backing_->store->partition(i);
    partition.for_each<EntryHeader>([&](store::RecordId id, const EntryHeader& header) {
      const std::string_view name = partition.read(header.name);
      const std::size_t zero = name.find('\0');
      const std::string_view table_name = name.substr(0, zero);
      Table* const table = find(table_name);
      if (!table || !table->options().persist) {
        ++orphans[std::string(table_name)];
        ++report.orphans;
        partition.erase<EntryHeader>(id);
      } else if (zero == std::string_view::npos || !table->adopt(i, name.substr(zero + 1), id)) {
        ++report.damaged;
        partition.erase<EntryHeader>(id);
      } else {
        ++report.entries;
      }
    });
    partition.reclaim();
  }
  for (const auto& [name, count] : orphans)
    log::warning("{} entries of hash table {} are dropped: there is no persistent table of that name any more", count, name);
  if (report.damaged) log::error("{} entries of hash tables are dropped: they are damaged", report.damaged);
  return report;
}

void Tables::close() {
  tables_.clear();
  backing_.reset();
}

Result<> Tables::load(Time now) const {
  for (const auto& table : tables_) {
    const auto& path = table->options().load;
    if (path.empty() || table->size() > 0) continue;
    const auto entries = load_entries(path);
    if (!entries) return std::unexpected(entries.error());
    if (auto done = put_all(*table, *entries, now, path); !done) return done;
  }
  return {};
}

Result<> Tables::reload(Table& table, Time now) const {
  const auto& path = table.options().load;
  if (path.empty()) return fail(fmt::format("hash table {} has no file to load", table.name()));
  const auto entries = load_entries(path);
  if (!entries) return std::unexpected(entries.error());
  if (entries->size() > table.options().entries_max)
    return fail(fmt::format("{}: hash table {} is too small for {} entries", path, table.name(), entries->size()));
  return put_all(table, *entries, now, path);
}

Result<> Tables::check(const std::vector<TableOptions>& options) {
  for (const auto& one : options)
    if (!one.load.empty())
      if (const auto entries = load_entries(one.load); !entries) return std::unexpected(entries.error());
  return {};
}

void Tables::on_tick(Time now, std::int64_t wall_us) {
  for (const auto& table : tables_) table->expire(now, swept_per_tick);
  if (backing_) backing_->store->heartbeat(now + offset_, wall_us);
}

}  // namespace perdure::htable
