#pragma once
// KSR.tm.t_load_contacts and t_next_contacts.
#include "script/ksr/function.hpp"
#include "transaction/record.hpp"

namespace perdure::script {

// By q, the highest first; contacts of the same q together.
int load_contacts(Call& call);
// 0: as load_contacts; 1: one at a time, in an order drawn with chances as their q.
int load_contacts_mode(Call& call);
// 1: the target set is the next class of contacts; -2: none is left.
int next_contacts(Call& call);

}  // namespace perdure::script
