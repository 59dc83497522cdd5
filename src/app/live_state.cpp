#include "app/live_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/checksum.hpp"
#include "base/logging.hpp"
#include "store/store.hpp"

namespace perdure::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view store_name = "live.store", tables_name = "tables.store", tables_snapshot_name = "tables.snapshot",
                           dispatcher_name = "dispatcher.state", snapshot_name = "snapshot",
                           dispatcher_snapshot_name = "dispatcher.snapshot", gateways_name = "gateways.state",
                           gateways_snapshot_name = "gateways.snapshot", trace_snapshot_name = "trace.snapshot";
constexpr std::uint64_t smallest_store = 16ULL << 20;

bool is_file(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// A folder of ours in a place where others may write, too.
Result<> make_private(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0)
    return fail(fmt::format("{}: is not a folder of this user alone", path));
  return {};
}

std::optional<std::uint64_t> free_bytes(const std::string& path) {
  struct statfs info {};
  if (statfs(path.c_str(), &info) != 0) return std::nullopt;
  return std::uint64_t{info.f_bavail} * static_cast<std::uint64_t>(info.f_bsize);
}

bool is_tmpfs(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

void sync_folder(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)fsync(descriptor);
  close(descriptor);
}

Result<> copy_file(const std::string& from, const std::string& to) {
  std::error_code error;
  const std::string part = to + ".part";
  fs::copy_file(from, part, fs::copy_options::overwrite_existing, error);
  if (!error) fs::rename(part, to, error);
  if (error) return fail(fmt::format("{}: {}", to, error.message()));
  return {};
}

}  // namespace

Result<LiveState> LiveState::prepare(const Config::State& state, const LivePlaces& places) {
  LiveState live;
  live.state_directory_ = state.directory;
  live.keeps_ = state.persist != proxy::Persist::Off;
  const auto own_name = fmt::format("perdure-{:016x}", checksum(state.directory));
  std::vector<std::string> folders;
  for (const auto& place : places.memory) folders.push_back(place + "/" + own_name);
  if (state.durability == store::Durability::Process)
    for (std::size_t i = 0; i < folders.size() && live.folder_.empty(); ++i) {
      if (places.must_be_tmpfs && !is_tmpfs(places.memory[i])) continue;
      const auto room = free_bytes(places.memory[i]);
      if (!is_file(folders[i] + "/" + std::string(store_name)) && room && *room / 4 * 3 < smallest_store) {
        log::warning("{}: too little room for open calls", places.memory[i]);
        continue;
      }
      if (auto made = make_private(folders[i]); !made)
        log::warning("{}", made.error().message);
      else
        live.folder_ = folders[i];
    }
  if (live.folder_.empty()) {
    live.on_disk_ = true;
    live.folder_ = state.directory;
    if (state.durability == store::Durability::Process)
      log::warning("no memory file system can be used: open calls are kept in {}, where slow disks delay calls", state.directory);
  }
  live.max_bytes_ = state.max_bytes;
  // A page of a sparse file that the file system has no room for kills the process that writes it.
  if (const auto room = free_bytes(live.folder_); room && *room / 4 * 3 < state.max_bytes && !is_file(live.store())) {
    live.max_bytes_ = std::max(*room / 4 * 3, smallest_store);
    log::warning("state.max_bytes is {} MiB, but {} has only {} MiB free: the store gets {} MiB", state.max_bytes >> 20, live.folder_,
                 *room >> 20, live.max_bytes_ >> 20);
  }
  std::erase(folders, live.folder_);
  if (!live.on_disk_) folders.push_back(state.directory);
  if (auto restored = live.restore(state, folders); !restored) {
    live.abandon();
    return std::unexpected(restored.error());
  }
  return live;
}

LiveState LiveState::adopt(const Config::State& state, std::string folder, std::uint64_t max_bytes) {
  LiveState live;
  live.state_directory_ = state.directory;
  live.keeps_ = state.persist != proxy::Persist::Off;
  live.on_disk_ = folder == state.directory;
  live.folder_ = std::move(folder);
  live.max_bytes_ = max_bytes;
  return live;
}

Result<> LiveState::restore(const Config::State& state, const std::vector<std::string>& other_folders) {
  const auto bring = [&](std::string_view name, std::string_view snapshot, bool wanted, auto&& copy) -> Result<> {
    bool there = is_file(fmt::format("{}/{}", folder_, name));
    std::vector<std::string> sources;
    for (const auto& folder : other_folders) sources.push_back(fmt::format("{}/{}", folder, name));
    sources.push_back(fmt::format("{}/{}", state.directory, snapshot));
    for (const auto& source : sources) {
      if (!is_file(source)) continue;
      if (!there && wanted) {
        const auto to = fmt::format("{}/{}", folder_, name);
        if (auto copied = copy(source, to); !copied)
          return fail(fmt::format("{}; move {} away to start without what it holds", copied.error().message, source));
        copies_.push_back(to);
        there = true;
      }
      outdated_.push_back(source);
    }
    return {};
  };
  const auto copy_store = [](const std::string& from, const std::string& to) { return store::copy_store(from, to); };
  if (auto done = bring(store_name, snapshot_name, keeps_, copy_store); !done) return done;
  if (auto done = bring(tables_name, tables_snapshot_name, true, copy_store); !done) return done;
  if (auto done = bring(dispatcher_name, dispatcher_snapshot_name, true, copy_file); !done) return done;
  if (auto done = bring(gateways_name, gateways_snapshot_name, true, copy_file); !done) return done;
  return bring(trace_name, trace_snapshot_name, true, copy_file);
}

void LiveState::attached() {
  std::error_code ignored;
  for (const auto& file : outdated_) fs::remove(file, ignored);
  outdated_.clear();
  copies_.clear();
}

void LiveState::abandon() {
  std::error_code ignored;
  for (const auto& file : copies_) fs::remove(file, ignored);
  copies_.clear();
  if (!on_disk_) fs::remove(folder_, ignored);  // if it is empty
}

Result<> LiveState::save() {
  if (on_disk_) {
    sync_folder(folder_);
    return {};
  }
  if (keeps_ && is_file(store()))
    if (auto copied = store::copy_store(store(), fmt::format("{}/{}", state_directory_, snapshot_name)); !copied) return copied;
  if (is_file(tables()))
    if (auto copied = store::copy_store(tables(), fmt::format("{}/{}", state_directory_, tables_snapshot_name)); !copied) return copied;
  if (is_file(dispatcher()))
    if (auto copied = copy_file(dispatcher(), fmt::format("{}/{}", state_directory_, dispatcher_snapshot_name)); !copied) return copied;
  if (is_file(gateways()))
    if (auto copied = copy_file(gateways(), fmt::format("{}/{}", state_directory_, gateways_snapshot_name)); !copied) return copied;
  if (is_file(trace()))
    if (auto copied = copy_file(trace(), fmt::format("{}/{}", state_directory_, trace_snapshot_name)); !copied)
      log::warning("the last messages are lost: {}", copied.error().message);
  sync_folder(state_directory_);
  std::error_code ignored;
  for (const auto& file : {store(), tables(), dispatcher(), gateways(), trace(), log_levels()}) fs::remove(file, ignored);
  fs::remove(folder_, ignored);
  return {};
}

}  // namespace perdure::app
