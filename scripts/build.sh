# One build function for ./run and ./dev. Sourced in the root of the tree.

# build_preset PRESET [TARGET...]: quiet when there is nothing to do or all goes well.
build_preset() {
  local preset="$1" log
  shift
  log="$(mktemp)"
  local targets=()
  (($#)) && targets=(--target "$@")
  if [[ ! -f build/$preset/build.ninja ]]; then echo "building ($preset); the first time takes some minutes" >&2; fi
  if ! { cmake --preset "$preset" && cmake --build "build/$preset" "${targets[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# The binary for operators: build/release/perdure.
build_release() {
  [[ -f build/release/build.ninja ]] || echo "building the release; the first time takes some minutes" >&2
  local log
  log="$(mktemp)"
  if ! { cmake --preset release -DPERDURE_TESTS=OFF && cmake --build build/release --target perdure; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
