#pragma once
// An engine that does nothing but what a test wants: the test program started again with --fake-engine.
#include <optional>

namespace perdure::edge {

// What its folder's file `mode` says at its start:
//   normal         attaches, ticks, answers calls with its pid
//   no-script      fails to initialise
//   no-store       fails to attach
//   crash          dies while it attaches
//   short-lived    attaches and dies at once
//   hang           attaches, ticks once and never again
//   deaf           as normal, but does not stop
//   crash-at-stop  as normal, but dies of the word to stop
//   mute           never says that it has initialised
//   crash-at-start dies instead
//   no-manifest    says nothing of its layouts
//   other-layout   does not read what the normal one writes
//   newer          reads it, but the normal one does not read what it writes
// The exit code if this process is such an engine.
[[nodiscard]] std::optional<int> run_fake_engine(int argc, char** argv);

}  // namespace perdure::edge
