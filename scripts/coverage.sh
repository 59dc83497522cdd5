# ./dev coverage [ROOM...]: which lines of src/ the unit tests and the corpora of the fuzzers run. Sourced by ./dev.

coverage() {
  local name programs=() objects=() rooms=("$@")
  install_packages build test coverage
  ((${#rooms[@]})) || mapfile -t rooms < <(find src -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
  cmake --preset coverage >/dev/null
  mapfile -t programs < <(cd build/coverage && ninja -t targets all | sed -n 's/^cmake_object_order_depends_target_\(fuzz_[a-z_]*\|[a-z]*_tests\): phony$/\1/p' | sort -u)
  local wanted=()
  for name in "${programs[@]}"; do
    local room
    # The targets of fuzz/ are named for what they fuzz; without rooms given, all of them count.
    for room in "${rooms[@]}"; do
      if [[ $name == "${room}_tests" || $name == "fuzz_${room}_"* || ($# == 0 && $name == fuzz_*) ]]; then
        wanted+=("$name")
        break
      fi
    done
  done
  build_preset coverage "${wanted[@]}"
  rm -rf build/coverage/profiles
  for name in "${wanted[@]}"; do
    echo "running $name" >&2
    local arguments=(--gtest_brief=1)
    if [[ $name == fuzz_* ]]; then arguments=("fuzz/corpus/${name#fuzz_}"); fi
    LLVM_PROFILE_FILE="build/coverage/profiles/$name-%p.profraw" "build/coverage/$name" "${arguments[@]}" >/dev/null 2>build/coverage/last.log ||
      { cat build/coverage/last.log >&2; return 1; }
    objects+=(-object "build/coverage/$name")
  done
  llvm-profdata-19 merge --sparse -o build/coverage/all.profdata build/coverage/profiles/*.profraw
  llvm-cov-19 export -format=text -summary-only -instr-profile=build/coverage/all.profdata "${objects[@]}" >build/coverage/summary.json
  python3 scripts/coverage.py build/coverage/summary.json --at-least sip=95
}
