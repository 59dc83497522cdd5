// A configuration file of any text is refused with file and line, or is what it says; and what the table of options allows is accepted.
#include <charconv>
#include <string>

#include "app/config.hpp"
#include "app/options.hpp"
#include "fuzz/input.hpp"

namespace {

using namespace perdure;
using namespace perdure::app;
using fuzz::expect;

const std::string path = "/etc/perdure/perdure.toml";

// "file:line: what", whatever the text.
void check_error(const std::string& message) {
  expect(message.starts_with(path + ":"), "an error without the file");
  const std::string_view rest = std::string_view(message).substr(path.size() + 1);
  std::size_t line = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), line);
  expect(error == std::errc{} && line > 0, "an error without a line");
  expect(std::string_view(end).starts_with(": ") && std::string_view(end).size() > 2, "an error that says nothing");
}

// What the rest of the program relies on.
void check_config(const Config& config) {
  expect(!config.listen.empty(), "no address to listen on");
  expect(config.transaction.t1 > 0us && config.transaction.t2 >= config.transaction.t1, "impossible timers");
  expect(config.workers <= config.state.partitions, "more workers than partitions");
  const auto workers = worker_count(config);
  expect(workers >= 1 && workers <= config.state.partitions, "an impossible number of workers");
  for (const std::string* file : {&config.script, &config.dispatcher.list, &config.state.directory})
    expect(file->empty() || file->front() == '/', "a relative path");
  expect(!config.advertised_host.empty() || config.advertised_port == 0, "a port to advertise without a host");
}

void any_text(std::string_view text) {
  const auto config = parse_config(text, path);
  if (config)
    check_config(*config);
  else
    check_error(config.error().message);
}

// A value within the limits of an option, as TOML; `wanted` tells whether it arrived.
struct Writer {
  fuzz::Input& input;
  Config& expected;

  std::uint64_t between(std::uint64_t least, std::uint64_t most) const {
    std::uint64_t number = 0;
    for (int i = 0; i < 6; ++i) number = number << 8 | input.byte();
    return least + number % (most - least + 1);
  }
  std::string operator()(const DurationOption& option) const {
    const auto least = static_cast<std::uint64_t>(option.least.count()), most = static_cast<std::uint64_t>(option.most.count());
    const std::uint64_t us = between(least, most);
    option.member(expected) = Duration(static_cast<std::int64_t>(us));
    return us % 1000 == 0 ? "\"" + std::to_string(us / 1000) + "ms\"" : "\"" + std::to_string(us) + "us\"";
  }
  std::string operator()(const SizeOption& option) const {
    option.member(expected) = between(option.least, option.most);
    const auto bytes = option.member(expected);
    return bytes % 1024 == 0 ? "\"" + std::to_string(bytes >> 10) + "KiB\"" : std::to_string(bytes);
  }
  std::string operator()(const NumberOption& option) const {
    option.member(expected) = static_cast<std::uint32_t>(between(option.least, option.most));
    return std::to_string(option.member(expected));
  }
  std::string operator()(const ChoiceOption& option) const {
    const std::size_t choice = input.byte() % option.choices.size();
    option.set(expected, choice);
    return "\"" + std::string(option.choices[choice]) + "\"";
  }
  // Of the others the default is known to be right.
  template <class Other>
  std::string operator()(const Other&) const {
    return {};
  }
};

struct Reader {
  const Config &got, &expected;
  template <class Member>
  bool operator()(const Member& option) const {
    if constexpr (requires { option.member(const_cast<Config&>(got)); })
      return option.member(const_cast<Config&>(got)) == option.member(const_cast<Config&>(expected));
    return true;
  }
};

// The option as a line with a value of its own, or with its default.
std::string line_of(const Option& option, fuzz::Input& input, Config& expected) {
  const std::uint8_t choice = input.byte() % 4;
  std::string value;
  if (choice == 0) return {};
  if (choice > 1) value = std::visit(Writer{input, expected}, option.value);
  if (value.empty()) value = option.default_value;
  return value.empty() ? std::string() : std::string(option.key) + " = " + value + "\n";
}

void from_the_table(fuzz::Input& input) {
  auto defaults = parse_config("", path);
  expect(defaults.has_value(), "the defaults are refused");
  Config expected = *defaults;
  std::string text;
  std::string_view section;
  // Sections with a name of their own, [htable.NAME], have no place in a Config before they are read: any_text() is for them.
  const auto is_named = [](const Option& option) { return option.section.ends_with('*'); };
  for (const auto& option : options()) {
    if (is_named(option)) continue;
    if (option.section != section) text += "[" + std::string(option.section) + "]\n";
    section = option.section;
    text += line_of(option, input, expected);
  }
  const auto config = parse_config(text, path);
  // The two rules that no single option can say; listen stays as it is.
  const bool possible = expected.transaction.t2 >= expected.transaction.t1 && expected.workers <= expected.state.partitions;
  expect(config.has_value() == possible, "a file of allowed values is refused, or one of impossible values accepted");
  if (!config) return check_error(config.error().message);
  for (const auto& option : options())
    expect(is_named(option) || std::visit(Reader{*config, expected}, option.value), "a value is not what was written");
  expect(config->state.persist == expected.state.persist && config->state.clock == expected.state.clock &&
             config->state.durability == expected.state.durability && config->log.level == expected.log.level &&
             config->log.style == expected.log.style,
         "a choice is not what was written");
}

// The small languages inside of values.
void values(fuzz::Input& input) {
  const std::uint8_t which = input.byte();
  const std::string_view text = input.rest();
  if (which % 3 == 0) {
    const auto duration = parse_duration(text);
    expect(!duration || duration->count() >= 0, "a negative duration");
    if (duration) expect(parse_duration(std::to_string(duration->count()) + "us") == *duration, "a duration is another in microseconds");
  } else if (which % 3 == 1) {
    const auto bytes = parse_size(text);
    if (bytes) expect(parse_size(std::to_string(*bytes)) == *bytes, "a size is another in bytes");
  } else if (const auto listen = parse_listen(text)) {
    const auto again = parse_listen(std::string(name(listen->transport)) + ":" + listen->address.text());
    expect(again && *again == *listen, "an address is another when it is written and read");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.byte() % 4) {
    case 0:
      from_the_table(input);
      break;
    case 1:
      values(input);
      break;
    default:
      any_text(input.rest());
  }
  return 0;
}
