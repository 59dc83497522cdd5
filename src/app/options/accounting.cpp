#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"
#include "script/pseudo_variable.hpp"

namespace perdure::app {
namespace {

using namespace std::string_view_literals;

// "name=$variable"
Result<> set_log_extra(Config& config, const std::vector<std::string>& texts) {
  constexpr std::size_t extra_max = 64;
  config.acc.extra.clear();
  if (texts.size() > extra_max) return fail(fmt::format("has more than {} fields", extra_max));
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    if (auto checked = check_name(name); !checked) return checked;
    const std::string_view variable = equals == text.npos ? std::string_view{} : text.substr(equals + 1);
    if (auto parsed = script::PseudoVariable::parse(variable); !parsed)
      return fail(fmt::format("\"{}\" is not name=$variable: {}", text, parsed.error().message));
    config.acc.extra.emplace_back(name, variable);
  }
  return {};
}

Result<> set_restore_password(Config& config, std::string_view text) {
  config.uac.restore_password = text;
  return {};
}

constexpr std::array restore_modes = {"none"sv, "manual"sv, "auto"sv};

const Option table[] = {
    {"acc", "log_flag", "",
     "Message flag, 0 to 31, of transactions that get a line in the accounting log when they are answered with 2xx: `ACC: "
     "transaction answered: timestamp=…;method=…;from_tag=…;to_tag=…;call_id=…;code=…;reason=…;id=…`. The line is made with the commit of "
     "the final response and kept with the transaction till it is written: a death of the engine loses none. It may double the last ones, "
     "which have the same `id`. A second 2xx of a forked INVITE has no line. Left out: none. (Kamailio's log_flag)",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.log_flag; }}},
    {"acc", "log_missed_flag", "",
     "Message flag of INVITE transactions that get a line `ACC: call missed: …` when they end without success, once for the whole "
     "transaction. (Kamailio's log_missed_flag, which has one for each failed attempt)",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.log_missed_flag; }}},
    {"acc", "failed_transaction_flag", "",
     "Message flag of transactions whose line by `log_flag` is also written when they fail. One that has the missed flag, too, gets just "
     "that line.",
     OptionalNumberOption{[](Config& c) -> std::optional<std::int64_t>& { return c.acc.failed_transaction_flag; }}},
    {"acc", "log_extra", "[]",
     "More fields of each line: \"name=$variable\", with the variable of the request, as [\"ua=$ua\", \"account=$avp(account)\"]. "
     "(Kamailio's log_extra)",
     TextsOption{set_log_extra}},
    {"acc", "log_file", "",
     "File that lines of accounting are appended to, instead of standard error. A program that rotates it copies and truncates it.",
     PathOption{[](Config& c) -> std::string& { return c.acc.log_file; }}},

    {"uac", "restore_mode", R"("auto")",
     "What becomes of the From and To of a dialog whose From or To `KSR.uac` has replaced: \"auto\" `loose_route` translates each request "
     "both ways; \"manual\" `uac_restore_from` and `uac_restore_to` do; \"none\" nothing, and Record-Route says nothing of it. Replies are "
     "always restored.",
     ChoiceOption{restore_modes,
                  [](Config& c, std::size_t i) { c.uac.restore_mode = static_cast<proxy::ProxyOptions::RestoreAddresses>(i); }}},
    {"uac", "restore_passwd", R"("")",
     "Mixed into what Record-Route carries of the two URIs. Without it the callee can work out the URI that was replaced; with it only "
     "whoever finds out the password, which is the same on all servers of a dialog. It is no strong cipher.",
     TextOption{set_restore_password}},
};

}  // namespace

std::span<const Option> accounting_options() {
  return table;
}

}  // namespace perdure::app
