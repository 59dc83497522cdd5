#pragma once
// KSR.textopsx: single values of list headers and their parameters, iterators over header lines and body lines.
#include "script/ksr/function.hpp"

namespace perdure::script {

// Header values: argument 0 is NAME, NAME[INDEX] or NAME[*], with .PARAMETER behind it; the first value has the index 1.
int include_header_value(Call& call);
int append_header_value(Call& call);
int insert_header_value(Call& call);
// `lines`: a header line is one value, whose parameters are separated by commas (Authorization).
int assign_header_value(Call& call, bool lines);
int remove_header_value(Call& call, bool lines);

// Iterators: argument 0 is the name.
int header_iterator_start(Call& call);
int header_iterator_end(Call& call);
int header_iterator_move(Call& call, int step);
int header_iterator_remove(Call& call);
int header_iterator_write(Call& call, bool behind);
int header_iterator_name(Call& call);
int header_iterator_value(Call& call);

int body_iterator_start(Call& call);
int body_iterator_end(Call& call);
int body_iterator_next(Call& call);
int body_iterator_remove(Call& call);
int body_iterator_write(Call& call, bool behind);
int body_iterator_value(Call& call);

}  // namespace perdure::script
