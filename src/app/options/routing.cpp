#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

const Option table[] = {
    {"nathelper", "received_avp", R"("")",
     "Name of the AVP that `KSR.nathelper.fix_nated_register` adds the URI of the source to. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.nathelper.received_avp; }>}},

    {"dialplan", "list", "",
     "Rules for `KSR.dialplan`, a line each: dialplan priority kind match length expression replacement [attributes]; kind is equal, regex "
     "(PCRE) or wildcard; words with blanks stand in double quotes, - is an empty one. Read again by `perdure reload` and the method "
     "`dialplan.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.dialplan.list; }}},
    {"dialplan", "db", "",
     "Name of a database, [sql.NAME], with the rules in `db_table` instead of `list`. They are read at the start and by reloads.",
     TextOption{[](Config& c, std::string_view text) { return set_database_name(c.dialplan.database, text); }}},
    {"dialplan", "db_table", R"("dialplan")",
     "Table with the columns dpid, pr, match_op (0 equal, 1 regex, 2 wildcard), match_exp, match_len, subst_exp, repl_exp and attrs.",
     TextOption{[](Config& c, std::string_view text) { return set_table_name(c.dialplan.table, text); }}},
    {"dialplan", "attributes_avp", R"("")", "Name of the AVP that gets the attributes of the rule that matched (attrs_pvar). Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.dialplan.attributes_avp; }>}},

    {"mtree.*", "file", "",
     "A tree for `KSR.mtree`: a line each with a prefix and its value, which is the rest of the line. Read again by `perdure reload` and "
     "the "
     "method `mtree.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.trees.back().file; }}},
    {"mtree.*", "db", "",
     "Name of a database, [sql.NAME], with the prefixes in `db_table` instead of `file`. They are read at the start and by reloads.",
     TextOption{[](Config& c, std::string_view text) { return set_database_name(c.trees.back().database, text); }}},
    {"mtree.*", "db_table", R"("mtree")", "Table with the columns tprefix and tvalue.",
     TextOption{[](Config& c, std::string_view text) { return set_table_name(c.trees.back().table, text); }}},
    {"mtree.*", "integers", "false", "The values are numbers (Kamailio's type 2).",
     BooleanOption{[](Config& c) -> bool& { return c.trees.back().integers; }}},

    {"lcr", "list", "",
     "Gateways and rules for `KSR.lcr`, lines `gateway INSTANCE NAME URI [strip=N] [prefix=X] [tag=X] [flags=N] [host=NAME]` and `rule "
     "INSTANCE "
     "PREFIX GATEWAY[/PRIORITY[/WEIGHT]],… [from=EXPRESSION] [request=EXPRESSION] [stop]`; PREFIX - is that of all numbers, a smaller "
     "priority "
     "comes first. Read again by `perdure reload` and the method `lcr.reload`.",
     PathOption{[](Config& c) -> std::string& { return c.lcr.list; }}},
    {"lcr", "tag_avp", R"("")", "Name of the AVP that gets the tag of the gateway. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.lcr.tag_avp; }>}},
    {"lcr", "flags_avp", R"("")", "Name of the AVP that gets the flags of the gateway. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.lcr.flags_avp; }>}},
    {"lcr", "inactivate_threshold", "1", "Failures (`inactivate_gw`) after which a gateway gets no calls (ping_inactivate_threshold).",
     NumberOption{[](Config& c) -> std::uint32_t& { return c.lcr.options.inactivate_threshold; }, 1, 1000}},
    {"lcr", "inactive_time", R"("60s")", "For how long it gets none.",
     DurationOption{[](Config& c) -> Duration& { return c.lcr.options.inactive_time; }, 1s, 24h}},
};

}  // namespace

Result<> begin_tree(Config& config, std::string_view name) {
  if (auto checked = check_name(name); !checked) return checked;
  if (config.trees.size() >= prefix::trees_max) return fail(fmt::format("more than {} trees", prefix::trees_max));
  config.trees.emplace_back().name = name;
  return {};
}

std::span<const Option> routing_options() {
  return table;
}

}  // namespace perdure::app
