#pragma once
#include "script/ksr/function.hpp"

namespace perdure::script {

// Arguments: [uri [q]]; without a URI the Request-URI as it is now. 1, or -1 when there are too many.
int append_branch(Call& call);

}  // namespace perdure::script
