#include "app/drain_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/text_file.hpp"

namespace perdure::app {
namespace {

using admin::Json;

constexpr std::int64_t retry_after_max_s = 86'400;

std::string file_of(const std::string& state_directory) {
  return state_directory + "/drain.json";
}

Result<> sync_to_disk(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) close(descriptor);
  if (!synced) return fail(fmt::format("{}: {}", path, std::strerror(reason)));
  return {};
}

Result<> write_synced(const std::string& path, const std::string& text) {
  const std::string part = path + ".part";
  const int descriptor = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      descriptor >= 0 && write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) close(descriptor);
  if (!written || rename(part.c_str(), path.c_str()) != 0)
    return fail(fmt::format("{}: {}", part, std::strerror(written ? errno : reason)));
  return {};
}

}  // namespace

Json DrainState::json() const {
  if (!drain.on) return {{"on", false}};
  return {{"on", true},
          {"code", drain.code},
          {"retry_after", drain.retry_after_s},
          {"registrations", drain.registrations},
          {"by_script", drain.by_script},
          {"since", since_wall_us / 1'000'000}};
}

Result<proxy::Drain> drain_from(const Json& params) {
  proxy::Drain drain{.on = true};
  const Json& code = admin::parameter(params, 0, "code");
  if (!code.is_null()) {
    if (!code.is_number_integer() || code < 300 || code > 699) return fail("`code` is 300 to 699");
    drain.code = code.get<std::uint16_t>();
  }
  const Json& retry_after = admin::parameter(params, 1, "retry_after");
  if (!retry_after.is_null()) {
    if (!retry_after.is_number_integer() || retry_after < 0 || retry_after > retry_after_max_s)
      return fail(fmt::format("`retry_after` is 0 to {} seconds", retry_after_max_s));
    drain.retry_after_s = retry_after.get<std::uint32_t>();
  }
  const Json &registrations = admin::parameter(params, 2, "registrations"), &by_script = admin::parameter(params, 3, "by_script");
  if (!registrations.is_null() && !registrations.is_boolean()) return fail("`registrations` is true or false");
  if (!by_script.is_null() && !by_script.is_boolean()) return fail("`by_script` is true or false");
  drain.registrations = registrations == true;
  drain.by_script = by_script == true;
  return drain;
}

Result<DrainState> load_drain(const std::string& state_directory) {
  const std::string path = file_of(state_directory);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return DrainState{};
  const auto text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return fail(path + ": is no JSON object");
  const auto drain = drain_from(json);
  if (!drain) return fail(fmt::format("{}: {}", path, drain.error().message));
  const auto since = json.find("since");
  return DrainState{*drain, since != json.end() && since->is_number_integer() ? since->get<std::int64_t>() * 1'000'000 : 0};
}

Result<> save_drain(const std::string& state_directory, const DrainState& state) {
  const std::string path = file_of(state_directory);
  if (state.drain.on) {
    if (auto done = write_synced(path, admin::to_text(state.json(), 2) + '\n'); !done) return done;
  } else if (std::remove(path.c_str()) != 0 && errno != ENOENT) {
    return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return sync_to_disk(state_directory, O_RDONLY | O_DIRECTORY);
}

}  // namespace perdure::app
