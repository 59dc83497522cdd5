#include "app/command_reference.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace perdure::app {
namespace {

std::string or_none(const std::string& text) {
  return text.empty() ? "(no text)" : text;
}

std::string option_line(const CLI::Option& option) {
  std::string type = option.get_items_expected_max() > 0 ? option.get_type_name() : std::string();
  std::string fallback = option.get_default_str();
  return fmt::format("| `{}{}{}` | {}{} |\n", option.get_name(option.get_positional(), true), type.empty() ? "" : " ", type,
                     or_none(option.get_description()), fallback.empty() ? "" : fmt::format(". Default: {}", fallback));
}

void add_command(const CLI::App& command, std::string& out) {
  out += fmt::format("\n## perdure {}\n\n{}.\n", command.get_name(), or_none(command.get_description()));
  std::string lines;
  for (const CLI::Option* const option : command.get_options())
    if (!option->get_group().empty() && option->get_name() != "--help") lines += option_line(*option);
  if (!lines.empty()) out += "\n| option | |\n| --- | --- |\n" + lines;
}

}  // namespace

std::string commands_reference(const CLI::App& app) {
  std::string out =
      "# Commands\n\n"
      "One program: the server, and the commands that ask a running one over its control socket. Exit codes: 0 it is done, 1 it is not and "
      "standard error\n"
      "says why, 2 the command line is wrong. This page is written by `perdure commands`, from the command line that the program reads.\n";
  for (const CLI::App* const command : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    add_command(*command, out);
  return out;
}

}  // namespace perdure::app
