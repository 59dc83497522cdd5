#include <span>
#include <string>
#include <vector>

#include "app/options/sections.hpp"

namespace perdure::app {
namespace {

const Option table[] = {
    {"websocket", "origins", "[]",
     "Origins of the web pages that may connect, such as \"https://phone.example.org\"; then who names none may not either. Empty: any.",
     TextsOption{[](Config& c, const std::vector<std::string>& texts) -> Result<> {
       c.connections.web_origins = texts;
       return {};
     }}},
};

}  // namespace

std::span<const Option> websocket_options() {
  return table;
}

}  // namespace perdure::app
