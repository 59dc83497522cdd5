#pragma once
// Changes of the Contact headers.
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "script/ksr/function.hpp"

namespace perdure::script {

// Gives each sip or sips URI of the Contact headers to `change`; what that returns stands there when the message leaves, in angle brackets
// where they are needed. How many there were that changed.
int change_contacts(Call& call, const std::function<std::optional<std::string>(std::string_view uri)>& change);
// ";name=value" behind the parameters of a URI, before its headers.
[[nodiscard]] std::string with_parameter(std::string_view uri, std::string_view parameter);
// The same without the parameter of that name.
[[nodiscard]] std::string without_parameter(std::string_view uri, std::string_view name);
// Of the first Contact; empty if there is none, or none that is a URI.
[[nodiscard]] std::string_view first_contact(const sip::Message& message);

}  // namespace perdure::script
