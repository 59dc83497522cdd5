#include "script/run.hpp"

#include "base/logging.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::script {

Variables& Run::variables() {
  if (shares_variables()) return outer->variables();
  if (!decoded_) {
    decoded_ = true;
    if (!own_.decode(context->variables)) log::warning("script: the variables of a transaction are not readable, they begin empty");
  }
  return own_;
}

void Run::changed() {
  if (shares_variables()) return outer->changed();
  dirty_ = true;
  context->variables_changed = true;
}

void Run::save() {
  if (shares_variables()) return outer->save();
  if (!dirty_) return;
  dirty_ = false;
  context->variables.clear();
  own_.encode(context->variables);
}

}  // namespace perdure::script
