#include "script/run.hpp"

#include "base/logging.hpp"
#include "proxy/routing_context.hpp"

namespace perdure::script {

void Run::reset() {
  context = nullptr;
  kind = proxy::RouteKind::Request;
  thread = nullptr;
  outer = nullptr;
  script_flags = 0;
  leave = Leave::No;
  vm = nullptr;
  waits_in = nullptr;
  continue_in.clear();
  result_after_wait = -1;
  results.clear();
  header_iterators.clear();
  body_iterators.clear();
  redis_replies.clear();
  http.reset();
  locks_.release_all();
  if (decoded_) own_.clear();
  decoded_ = dirty_ = false;
}

// A branch that another transaction's run adds (tsilo) has the variables of its own transaction.
bool Run::shares_variables() const {
  return kind == proxy::RouteKind::Branch && outer != nullptr && outer->context->transaction == context->transaction;
}

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
