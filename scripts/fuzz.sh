# The fuzzers: ./dev fuzz MINUTES [-j N] [TARGET...], ./dev fuzz merge [TARGET...] and ./dev fuzz summary. Sourced by ./dev; fuzz/README.md tells more.

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

# Whether a process has used so many minutes of processor time, in user and kernel mode, or has ended.
fuzz_is_done() {
  local stat fields ticks=100  # a second; of all processors that Debian runs on
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
  read -ra fields <<<"${stat##*) }"
  ((fields[11] + fields[12] >= $2 * 60 * ticks))
}

# Runs one target for so many minutes of processor time, which on a busy machine takes longer, and notes what that took in build/fuzz/measured.tsv: target, when it ended, seconds of wall time, seconds of
# processor, runs, findings.
fuzz_one() {
  local minutes="$1" name="$2" began=$SECONDS status=0 finding=0 log="build/fuzz/log/$2.log" options process cpu runs
  # What is new stays in the build folder until it is merged; what crashes gets a name in fuzz/crashes/ with its fix.
  mkdir -p "build/fuzz/work/$name" "build/fuzz/found/$name" build/fuzz/log
  # The time for one input is wall time, so it is generous: targets that share two processors with a build must not look slow.
  options=(-max_len=4096 -timeout=600 -report_slow_units=600 -print_final_stats=1
    "-artifact_prefix=build/fuzz/found/$name/")
  # shellcheck disable=SC2207
  options+=($(fuzz_dictionary "$name"))
  "build/fuzz/fuzz_$name" "${options[@]}" "build/fuzz/work/$name" "fuzz/corpus/$name" >"$log" 2>&1 &
  process=$!
  trap 'kill $process 2>/dev/null' TERM
  until fuzz_is_done $process "$minutes"; do sleep 5; done
  kill -INT $process 2>/dev/null || true  # it ends as if its time were over
  wait $process || status=$?
  while kill -0 $process 2>/dev/null; do  # a signal ends a wait, but not the process at once
    status=0
    wait $process || status=$?
  done
  ((status == 0 || status == 72)) || finding=1  # 72: interrupted
  times >"build/fuzz/log/$name.times"  # in a pipe it would tell of another shell
  cpu="$(awk 'NR == 2 { split($1, user, /[ms]/); split($2, kernel, /[ms]/); printf "%.0f", (user[1] + kernel[1]) * 60 + user[2] + kernel[2] }' "build/fuzz/log/$name.times")"
  runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)"  # told twice when interrupted
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$(date -u +%FT%TZ)" $((SECONDS - began)) "$cpu" "${runs:-0}" $finding >>build/fuzz/measured.tsv
  ((finding == 0)) || { echo "== $name has found something: $log, build/fuzz/found/$name/" && return 1; }
}

# Runs targets, a number of them at once.
fuzz_run() {
  local minutes="$1" at_once="$2" name failed=0 running=0
  shift 2
  trap 'kill $(jobs -p) 2>/dev/null' TERM INT
  for name in "$@"; do
    if ((running == at_once)); then
      wait -n || failed=1
      running=$((running - 1))
    fi
    echo "== $name, $minutes minutes of processor time; build/fuzz/log/$name.log tells how it goes"
    fuzz_one "$minutes" "$name" &
    running=$((running + 1))
  done
  while ((running--)); do wait -n || failed=1; done
  return $failed
}

# What has been measured in this tree, and how much of it since the last finding of each target.
fuzz_summary() {
  [[ -f build/fuzz/measured.tsv ]] || { echo "nothing has run yet" && return; }
  sort -s -t $'\t' -k 1,1 build/fuzz/measured.tsv | awk -F '\t' '
    function show() { if (name != "") printf "%-18s %8.1f %8.1f %12d   %8.1f %8.1f %12d %9d\n", name, wall / 60, cpu / 60, runs, w / 60, c / 60, r, findings }
    BEGIN { printf "%-18s %8s %8s %12s   %8s %8s %12s %9s\n", "target", "minutes", "CPU min", "runs", "minutes", "CPU min", "runs", "findings"
            printf "%-18s %30s   %30s\n", "", "in all", "since the last finding" }
    $1 != name { show(); name = $1; wall = cpu = runs = w = c = r = findings = 0 }
    { wall += $3; cpu += $4; runs += $5; w += $3; c += $4; r += $5; findings += $6; if ($6) w = c = r = 0 }
    END { show() }'
}

# The committed corpus becomes a small set of inputs that reach every branch that it and those found since have reached. Inputs with a name, not
# the fuzzer's hash, were put there by hand, and stay.
fuzz_merge() {
  local name merged hash='[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]*'
  for name in "$@"; do
    merged="$(mktemp -d)"
    mkdir -p "build/fuzz/work/$name"
    find "fuzz/corpus/$name" -type f ! -name "$hash" -exec cp -t "$merged" {} +
    "build/fuzz/fuzz_$name" -set_cover_merge=1 -use_counters=0 -timeout=60 "$merged" "fuzz/corpus/$name" "build/fuzz/work/$name" 2>/dev/null
    echo "$name: $(find "fuzz/corpus/$name" -type f | wc -l) inputs before, $(find "$merged" -type f | wc -l) now"
    rm -rf "fuzz/corpus/$name"
    cp -r "$merged" "fuzz/corpus/$name"
    chmod 755 "fuzz/corpus/$name"
    rm -rf "$merged"
  done
}

fuzz() {
  local what="${1:?minutes, merge or summary}" at_once=1 targets
  shift
  if [[ $what == summary ]]; then
    fuzz_summary
    return
  fi
  if [[ ${1:-} == -j ]]; then
    at_once="${2:?how many at once}"
    shift 2
  fi
  install_packages build fuzz
  build_preset fuzz
  targets=("$@")
  ((${#targets[@]})) || mapfile -t targets < <(fuzz_targets)
  if [[ $what == merge ]]; then
    fuzz_merge "${targets[@]}"
  else
    fuzz_run "$what" "$at_once" "${targets[@]}"
  fi
}
