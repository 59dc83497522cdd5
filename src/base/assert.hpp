#pragma once
// An impossible state is a bug: the process stops at once, in release too, and the next engine attaches. Never for input from outside.
#include <cstdio>
#include <cstdlib>

#define PERDURE_ASSERT(condition)                                                            \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: impossible: not (%s)\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
