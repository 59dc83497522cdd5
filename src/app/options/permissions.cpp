#include <span>
#include <string>
#include <string_view>

#include "app/options/checks.hpp"
#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

template <std::string Config::Permissions::*member>
Result<> set_permissions_table(Config& config, std::string_view text) {
  if (auto checked = check_sql_name(text, true); !checked) return checked;
  config.permissions.*member = text;
  return {};
}

const Option table[] = {
    {"permissions", "address_file", "",
     "List of addresses for `KSR.permissions`, a line each: group address[/bits] [bits [port [tag]]], as Kamailio's address_file. Read "
     "again "
     "by `perdure reload` and the method `permissions.addressReload`.",
     PathOption{[](Config& c) -> std::string& { return c.permissions.address_file; }}},
    {"permissions", "trusted_file", "",
     "List of sources for `KSR.permissions.allow_trusted`, a line each: address transport [from_pattern [uri_pattern [tag [priority]]]], "
     "`-` "
     "for an empty pattern or tag. Transport is udp, tcp, tls, ws, wss, any, or none for a line that is not used; patterns are basic "
     "regular "
     "expressions. Read again as the address list is.",
     PathOption{[](Config& c) -> std::string& { return c.permissions.trusted_file; }}},
    {"permissions", "db", "",
     "Name of a database, [sql.NAME], with the lists: `address_table` and `trusted_table` in place of the files. They are read before "
     "`ready`, and when the files are.",
     TextOption{[](Config& c, std::string_view text) { return set_database_name(c.permissions.database, text); }}},
    {"permissions", "address_table", R"("address")", "Table with the columns grp, ip_addr, mask, port and tag. Empty: none.",
     TextOption{set_permissions_table<&Config::Permissions::address_table>}},
    {"permissions", "trusted_table", R"("")",
     "Table with the columns src_ip, proto, from_pattern, ruri_pattern, tag and priority, for example \"trusted\". Empty: none.",
     TextOption{set_permissions_table<&Config::Permissions::trusted_table>}},
    {"permissions", "tag_avp", R"("")", "Name of the AVP that gets the tag of the matching line. Empty: none.",
     TextOption{set_avp<[](Config& c) -> std::string& { return c.permissions.tag_avp; }>}},
};

}  // namespace

std::span<const Option> permissions_options() {
  return table;
}

}  // namespace perdure::app
