#include "app/config.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "app/options.hpp"
#include "base/assert.hpp"

namespace perdure::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit duration_units[] = {{"us", 1},         {"ms", 1000},         {"s", 1'000'000},
                                   {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}};
constexpr Unit size_units[] = {{"", 1}, {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}};

std::optional<std::uint64_t> with_unit(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& known : units)
    if (unit == known.name) {
      std::uint64_t product = 0;
      if (__builtin_mul_overflow(number, known.factor, &product) || product > INT64_MAX) return std::nullopt;
      return product;
    }
  return std::nullopt;
}

// Reads one TOML value into the member that an option names.
struct Reader {
  Config& config;
  const toml::node& node;
  const std::filesystem::path& folder;

  [[nodiscard]] Result<std::vector<std::string>> texts() const {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return fail("must be a list of texts: [\"…\", \"…\"]");
    std::vector<std::string> texts;
    for (const auto& element : *array) {
      const auto text = element.value_exact<std::string>();
      if (!text) return fail("must be a list of texts: [\"…\", \"…\"]");
      texts.push_back(*text);
    }
    return texts;
  }

  Result<> operator()(const TextOption& option) const {
    const auto text = node.value_exact<std::string>();
    return text ? option.set(config, *text) : fail("must be a text in quotes");
  }
  Result<> operator()(const PathOption& option) const {
    const auto text = node.value_exact<std::string>();
    if (!text || text->empty() || text->find('\0') != std::string::npos) return fail("must be a path in quotes");
    option.member(config) = (folder / *text).lexically_normal();
    return {};
  }
  Result<> operator()(const PathsOption& option) const {
    const auto texts = this->texts();
    if (!texts) return std::unexpected(texts.error());
    auto& paths = option.member(config);
    paths.clear();
    for (const auto& text : *texts) {
      if (text.empty() || text.find('\0') != std::string::npos) return fail("must be a list of paths");
      paths.push_back((folder / text).lexically_normal());
    }
    return {};
  }
  Result<> operator()(const TextsOption& option) const {
    const auto texts = this->texts();
    return texts ? option.set(config, *texts) : std::unexpected(texts.error());
  }
  Result<> operator()(const DurationOption& option) const {
    const auto text = node.value_exact<std::string>();
    if (!text) return fail("must be a duration in quotes, such as \"500ms\" or \"4s\"");
    const auto duration = parse_duration(*text);
    if (!duration) return std::unexpected(duration.error());
    if (*duration < option.least || *duration > option.most) return fail(fmt::format("\"{}\" is out of range", *text));
    option.member(config) = *duration;
    return {};
  }
  Result<> operator()(const SizeOption& option) const {
    std::uint64_t size = 0;
    if (const auto number = node.value_exact<std::int64_t>()) {
      size = *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
    } else if (const auto text = node.value_exact<std::string>()) {
      const auto parsed = parse_size(*text);
      if (!parsed) return std::unexpected(parsed.error());
      size = *parsed;
    } else {
      return fail("must be a size, such as \"1GiB\" or a number of bytes");
    }
    if (size < option.least || size > option.most) return fail("is out of range");
    option.member(config) = size;
    return {};
  }
  Result<> operator()(const NumberOption& option) const {
    const auto number = node.value_exact<std::int64_t>();
    if (!number) return fail("must be a number");
    if (*number < option.least || *number > option.most) return fail(fmt::format("{} is out of range", *number));
    option.member(config) = static_cast<std::uint32_t>(*number);
    return {};
  }
  Result<> operator()(const BooleanOption& option) const {
    const auto value = node.value_exact<bool>();
    if (!value) return fail("must be true or false");
    option.member(config) = *value;
    return {};
  }
  Result<> operator()(const OptionalNumberOption& option) const {
    const auto number = node.value_exact<std::int64_t>();
    if (!number) return fail("must be a number");
    option.member(config) = *number;
    return {};
  }
  Result<> operator()(const ChoiceOption& option) const {
    const auto text = node.value_exact<std::string>();
    const auto found = text ? std::ranges::find(option.choices, *text) : option.choices.end();
    if (found == option.choices.end()) return fail("is none of the choices");
    option.set(config, static_cast<std::size_t>(found - option.choices.begin()));
    return {};
  }
};

// `section`: as it stands in the file.
std::string full_name(std::string_view section, const Option& option) {
  return section.empty() ? std::string(option.key) : fmt::format("{}.{}", section, option.key);
}

Result<> read(const Option& option, std::string_view name, const toml::node& node, const std::filesystem::path& folder, Config& config) {
  if (auto done = std::visit(Reader{config, node, folder}, option.value); !done)
    return fail(fmt::format("{} {} ({})", name, done.error().message, describe_type(option)));
  return {};
}

// Of the sections of one name, or, without, of all that there is one of.
void set_defaults(Config& config, std::string_view family = {}) {
  for (const auto& option : options()) {
    if (option.default_value.empty() || (family.empty() ? option.section.ends_with(".*") : option.section != family)) continue;
    const toml::table table = toml::parse(fmt::format("value = {}", option.default_value));
    const auto done = read(option, option.key, *table.get("value"), "/", config);
    if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    PERDURE_ASSERT(done.has_value());  // the table contradicts itself
  }
}

// The nearest known name, for the error about an unknown one; empty if none is near.
std::string_view nearest(std::string_view word, const std::set<std::string_view>& names) {
  std::string_view best;
  std::size_t least = 3;
  for (const auto name : names) {
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t cost = diagonal + (word[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, cost}));
      }
    }
    if (row[name.size()] < least) {
      least = row[name.size()];
      best = name;
    }
  }
  return best;
}

class FileReader {
 public:
  FileReader(Config& config, const std::string& path) : config_(config), path_(path), folder_(std::filesystem::path(path).parent_path()) {}

  Result<> table(const toml::table& table, std::string_view section) {
    for (const auto& [key, node] : table) {
      if (section.empty() && node.is_table() && is_section(key.str())) {
        if (auto done = this->table(*node.as_table(), key.str()); !done) return done;
        continue;
      }
      if (const auto* const family = section.empty() && node.is_table() ? find_family(key.str()) : nullptr) {
        if (auto done = named_tables(*node.as_table(), *family); !done) return done;
        continue;
      }
      const Option* const option = find(section, key.str());
      if (option == nullptr) return unknown(section, key);
      if (auto done = read(*option, full_name(shown(section), *option), node, folder_, config_); !done)
        return error(node.source(), done.error().message);
      lines_.emplace_back(option, node.source().begin.line);
    }
    return {};
  }

  [[nodiscard]] Result<> error(const toml::source_region& at, std::string_view message) const { return error(at.begin.line, message); }
  [[nodiscard]] Result<> error(std::size_t line, std::string_view message) const {
    return fail(fmt::format("{}:{}: {}", path_, line, message));
  }

  // Line where a key stands, 1 if it is not in the file.
  [[nodiscard]] std::size_t line_of(std::string_view section, std::string_view key) const {
    for (const auto& [option, line] : lines_)
      if (option->section == section && option->key == key) return line;
    return 1;
  }

 private:
  // [section.NAME]
  Result<> named_tables(const toml::table& tables, const SectionFamily& family) {
    for (const auto& [key, node] : tables) {
      const std::string section = fmt::format("{}.*", family.section);
      if (!node.is_table())
        return error(key.source(), fmt::format("'{}' must be a section: [{}.{}]", key.str(), family.section, key.str()));
      if (auto begun = family.begin(config_, key.str()); !begun) return error(key.source(), begun.error().message);
      set_defaults(config_, section);
      named_ = fmt::format("{}.{}", family.section, key.str());
      if (auto done = table(*node.as_table(), section); !done) return done;
    }
    return {};
  }
  // The section as it stands in the file.
  std::string_view shown(std::string_view section) const { return section.ends_with(".*") ? std::string_view(named_) : section; }
  static const SectionFamily* find_family(std::string_view name) {
    const auto found = std::ranges::find(section_families(), name, &SectionFamily::section);
    return found == section_families().end() ? nullptr : &*found;
  }
  static bool is_section(std::string_view name) {
    return std::ranges::any_of(options(), [&](const Option& option) { return !option.section.empty() && option.section == name; });
  }
  static const Option* find(std::string_view section, std::string_view key) {
    const auto found =
        std::ranges::find_if(options(), [&](const Option& option) { return option.section == section && option.key == key; });
    return found != options().end() ? &*found : nullptr;
  }
  Result<> unknown(std::string_view section, const toml::key& key) const {
    std::set<std::string_view> names;
    for (const auto& option : options()) {
      if (option.section == section) names.insert(option.key);
      if (section.empty() && !option.section.empty() && !option.section.ends_with('*')) names.insert(option.section);
    }
    if (section.empty())
      for (const auto& family : section_families()) names.insert(family.section);
    std::string message = fmt::format("unknown key '{}'", key.str());
    if (!section.empty()) message += fmt::format(" in [{}]", shown(section));
    if (const auto near = nearest(key.str(), names); !near.empty()) message += fmt::format("; is '{}' meant?", near);
    return error(key.source(), message);
  }

  Config& config_;
  const std::string& path_;
  const std::filesystem::path folder_;
  std::string named_;  // [section.NAME] that is being read
  std::vector<std::pair<const Option*, std::size_t>> lines_;
};

bool is_loopback(const SocketAddress& address) {
  const bool v4 = address.family == Family::IPv4 && address.ip[0] == 127;
  return v4 || address.same_ip(*SocketAddress::parse("::1", 0));
}

Result<> check_admin(const Config::Admin& admin, const FileReader& reader) {
  const auto wrong = [&](const char* key, const char* what) { return reader.error(reader.line_of("admin", key), what); };
  if (admin.http.family == Family::None) return {};
  if (admin.certificate.empty() != admin.private_key.empty())
    return wrong("certificate", "admin.certificate and admin.private_key belong together");
  if (!admin.client_ca.empty() && admin.certificate.empty()) return wrong("client_ca", "admin.client_ca needs admin.certificate");
  if (!is_loopback(admin.http) && admin.token_file.empty() && admin.client_ca.empty())
    return wrong("http", "admin.http on an address that others reach needs admin.token_file or admin.client_ca");
  return {};
}

// What no single option can say.
Result<> check_together(const Config& config, const FileReader& reader) {
  for (const auto& listen : config.listen)
    if (listen.address.ip == decltype(listen.address.ip){} && config.advertised_host.empty())
      return reader.error(
          reader.line_of("", "listen"),
          fmt::format("listen on {} needs `advertise`: Via must name an address that answers come to", listen.address.text()));
  if (config.transaction.t2 < config.transaction.t1)
    return reader.error(reader.line_of("transaction", "t2"), "transaction.t2 is less than t1");
  for (const auto& [key, flag] : {std::pair("log_flag", config.acc.log_flag), std::pair("log_missed_flag", config.acc.log_missed_flag),
                                  std::pair("failed_transaction_flag", config.acc.failed_transaction_flag)})
    if (flag && (*flag < 0 || *flag > 31)) return reader.error(reader.line_of("acc", key), fmt::format("acc.{} is a flag, 0 to 31", key));
  if (config.trace.hep.collector && config.trace.bytes == 0)
    return reader.error(reader.line_of("trace", "hep"), "trace.hep needs trace.bytes: what is exported is read from there");
  for (const auto& timer : config.timers)
    if (timer.route.empty()) return reader.error(1, fmt::format("timer.{} has no route", timer.name));
  if (auto done = check_admin(config.admin, reader); !done) return done;
  if (config.workers > config.state.partitions)
    return reader.error(reader.line_of("", "workers"),
                        fmt::format("{} workers need as many state.partitions, which is {}", config.workers, config.state.partitions));
  return {};
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto count = with_unit(text, duration_units);
  if (!count) return fail(fmt::format("\"{}\" is not a duration: a whole number with us, ms, s, m, h or d", text));
  return Duration(static_cast<std::int64_t>(*count));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes = with_unit(text, size_units);
  if (!bytes) return fail(fmt::format("\"{}\" is not a size: a whole number with KiB, MiB or GiB", text));
  return *bytes;
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto malformed = [&] {
    return fail(fmt::format("\"{}\" is not an address: write \"udp:192.0.2.1:5060\" or \"tls:[2001:db8::1]:5061\"", text));
  };
  const std::size_t first = text.find(':'), last = text.rfind(':');
  if (first == std::string_view::npos || first == last) return malformed();
  const auto transport = transport_from(text.substr(0, first));
  if (!transport) return fail(fmt::format("\"{}\" names no known transport", text));
  const std::string_view host = text.substr(first + 1, last - first - 1), port_text = text.substr(last + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc{} || end != port_text.data() + port_text.size()) return malformed();
  const auto address = SocketAddress::parse(host, port);
  if (!address || (address->family == Family::IPv6 && !host.starts_with('['))) return malformed();
  return ListenAddress{.transport = *transport, .address = *address};
}

Result<Config> parse_config(std::string_view text, const std::string& path) {
  Config config;
  config.path = path;
  set_defaults(config);
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return fail(fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
  }
  FileReader reader(config, path);
  if (auto done = reader.table(table, ""); !done) return std::unexpected(done.error());
  if (auto done = check_together(config, reader); !done) return std::unexpected(done.error());
  return config;
}

Result<Config> load_config(const std::string& path, std::string* text) {
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).lexically_normal();
  std::ifstream file(absolute, std::ios::binary);
  if (!file || std::filesystem::is_directory(absolute, error))
    return fail(fmt::format("{}: {}", path, std::strerror(file ? EISDIR : errno)));
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return fail(fmt::format("{}: cannot be read", path));
  auto config = parse_config(content, absolute);
  if (text) *text = std::move(content);
  return config;
}

std::string_view embedded_config_text() {
  return "listen = [\"udp:127.0.0.1:5060\"]\n";
}

Result<Config> embedded_config() {
  auto config = parse_config(embedded_config_text(), "");
  if (!config) return config;
  if (geteuid() == 0) return config;  // the default of state.directory
  const char* const state_home = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  if (state_home && *state_home == '/')
    config->state.directory = std::string(state_home) + "/perdure";
  else if (home && *home == '/')
    config->state.directory = std::string(home) + "/.local/state/perdure";
  else
    return fail("neither XDG_STATE_HOME nor HOME is set: there is no place for the state directory; name one with -c");
  return config;
}

std::uint32_t worker_count(const Config& config) {
  std::uint32_t workers = config.workers;
  if (cpu_set_t usable; workers == 0)
    workers = sched_getaffinity(0, sizeof usable, &usable) == 0 ? static_cast<std::uint32_t>(CPU_COUNT(&usable)) : 1;
  return std::clamp<std::uint32_t>(workers, 1, std::min<std::uint32_t>(config.state.partitions, 64));
}

}  // namespace perdure::app
