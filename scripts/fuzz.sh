# The fuzzers: ./dev fuzz MINUTES [TARGET...] and ./dev fuzz merge [TARGET...]. Sourced by ./dev; fuzz/README.md tells more.

# The names of all targets that are built, without fuzz_.
fuzz_targets() {
  local program
  for program in build/fuzz/fuzz_*; do
    [[ -f $program && -x $program ]] && basename "$program" | sed 's/^fuzz_//'
  done
}

# The dictionary of a target: its own, or that of its room (sip.dict for sip_message).
fuzz_dictionary() {
  local file
  for file in "fuzz/dictionaries/$1.dict" "fuzz/dictionaries/${1%%_*}.dict"; do
    if [[ -f $file ]]; then
      echo "-dict=$file"
      return
    fi
  done
}

fuzz_run() {
  local minutes="$1" name failed=0 options
  shift
  for name in "$@"; do
    # What is new stays in the build folder until it is merged; what crashes is to be committed with its fix.
    mkdir -p "build/fuzz/work/$name" "fuzz/crashes/$name"
    options=("-max_total_time=$((minutes * 60))" -max_len=4096 -timeout=60 -print_final_stats=1 "-artifact_prefix=fuzz/crashes/$name/")
    # shellcheck disable=SC2207
    options+=($(fuzz_dictionary "$name"))
    echo "== $name, $minutes minutes"
    "build/fuzz/fuzz_$name" "${options[@]}" "build/fuzz/work/$name" "fuzz/corpus/$name" || failed=1
    rmdir --ignore-fail-on-non-empty "fuzz/crashes/$name"
  done
  return $failed
}

# The committed corpus becomes the smallest set of inputs with the same coverage, those found since included.
fuzz_merge() {
  local name merged
  for name in "$@"; do
    merged="$(mktemp -d)"
    mkdir -p "build/fuzz/work/$name"
    "build/fuzz/fuzz_$name" -merge=1 -timeout=60 "$merged" "fuzz/corpus/$name" "build/fuzz/work/$name" 2>/dev/null
    echo "$name: $(find "fuzz/corpus/$name" -type f | wc -l) inputs before, $(find "$merged" -type f | wc -l) now"
    rm -rf "fuzz/corpus/$name"
    cp -r "$merged" "fuzz/corpus/$name"
    chmod 755 "fuzz/corpus/$name"
    rm -rf "$merged"
  done
}

fuzz() {
  local what="${1:?minutes, or merge}" targets
  shift
  install_packages build fuzz
  build_preset fuzz
  targets=("$@")
  ((${#targets[@]})) || mapfile -t targets < <(fuzz_targets)
  if [[ $what == merge ]]; then
    fuzz_merge "${targets[@]}"
  else
    fuzz_run "$what" "${targets[@]}"
  fi
}
