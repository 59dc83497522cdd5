#pragma once
// The session description of a message, alone or as a part of its body.
#include <optional>

#include "script/ksr/function.hpp"
#include "sip/sdp.hpp"

namespace perdure::script {

// Views of the message; nullopt: it has none that can be read.
[[nodiscard]] std::optional<sip::SessionDescription> session_description(const sip::Message& message);
// The part of the body that is one by its type, whatever is in it; empty: there is none.
[[nodiscard]] std::string_view session_description_text(const sip::Message& message);
int is_audio_on_hold(Call& call);

}  // namespace perdure::script
