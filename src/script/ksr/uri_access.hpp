#pragma once
// The Request-URI and destination as the script has changed them.
#include <optional>
#include <string>
#include <string_view>

#include "script/ksr/function.hpp"
#include "sip/uri.hpp"

namespace perdure::script {

// $ru: as set, else as received; empty in a reply.
[[nodiscard]] std::string_view request_uri(const Call& call);
// What of a URI to write anew.
enum class UriPart { User, Host, Port };
// False after call.fail(): the Request-URI or the new text is not well-formed.
bool set_request_uri(Call& call, std::string_view uri);
bool set_request_uri_part(Call& call, UriPart part, std::string_view text);
bool set_destination_uri(Call& call, std::string_view uri);

// The values of a header as Kamailio counts them: header lines, "" for a name that cannot be one. Negative index: from the last.
[[nodiscard]] const sip::HeaderField* header_at(const sip::Message& message, std::string_view name, int index);
[[nodiscard]] std::size_t header_count(const sip::Message& message, std::string_view name);
// True: `text` can stand in a message without ending its line.
[[nodiscard]] bool is_one_line(std::string_view text);

}  // namespace perdure::script
