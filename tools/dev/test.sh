# ./dev test [tier|filter]: every tier, one tier, or the tests whose name matches.

# Which build a tier uses. Everything runs in the very build that users run; parsers and planners also under the address
# and undefined-behaviour sanitizers, the thread pool and sessions under the thread sanitizer.
readonly asan_tests="base file weights text sample graph models passes plan"
readonly tsan_tests="cpu session"

programs() { # programs NAME… → the test programs of these layers that exist in the tree
  local name
  for name in "$@"; do compgen -G "tests/unit/$name/*.cc" >/dev/null && echo "test_$name"; done
}

# run_ctest PRESET ARGS…: a line a program while it runs, the whole log of one that fails; adds the single tests to
# passed, failed and skipped. Not one program found is a failure.
run_ctest() {
  local preset=$1 log status ok bad skip
  shift
  log=$(mktemp)
  set +e
  ctest --test-dir "build/$preset" -V --no-tests=error "$@" >"$log" 2>&1 &
  local job=$!
  tail -f --pid=$job -n +1 "$log" 2>/dev/null | grep --line-buffered -E '^ *[0-9]+/[0-9]+ Test|[0-9]+: skipped: '
  wait $job
  status=$?
  set -e
  ok=$(awk '/\[  PASSED  \] [0-9]+ test/ { n += $5 } END { print n + 0 }' "$log")
  skip=$(awk '/\[  SKIPPED \] [0-9]+ test/ { n += $5 } END { print n + 0 }' "$log")
  bad=$(awk '/\[  FAILED  \] [0-9]+ test/ { n += $5 } END { print n + 0 }' "$log")
  if [ "$status" != 0 ]; then
    [ "$bad" -gt 0 ] || bad=1
    grep -E -B40 '\[  FAILED  \]|SUMMARY|ERROR:|\*\*\*|No tests' "$log" | tail -n 400
  fi
  rm -f "$log"
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# one_test COMMAND…: its exit status is the result.
one_test() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

tier_lint() { one_test lint; }

tier_unit() {
  build asan $(programs $asan_tests)
  run_ctest asan -R "^unit\.(${asan_tests// /|})\$"
  build release all
  run_ctest release -L unit
}

# Every kernel, and every specialisation that a test wrote to wgsl-variants, through Dawn's compiler up to SPIR-V.
tier_wgsl() {
  build release all
  local log bad files=()
  mapfile -d '' files < <(find build/release/wgsl build/release/wgsl-variants -name '*.wgsl' -print0 2>/dev/null)
  if [ ${#files[@]} = 0 ]; then
    say "no kernels in build/release/wgsl"
    failed=$((failed + 1))
    return
  fi
  log=$(mktemp)
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c '
    out=$("$0/ld-linux-x86-64.so.2" --library-path "$0" "$0/../../bin/tint" --format spirv -o /dev/null "$1" 2>&1) ||
      printf "FAILED %s\n%s\n" "$1" "$out"' "$prefix_lib" >"$log"
  bad=$(grep -c '^FAILED ' "$log" || true)
  head -n 200 "$log"
  rm -f "$log"
  say "${#files[@]} WGSL files through tint, $bad refused"
  passed=$((passed + ${#files[@]} - bad)) failed=$((failed + bad))
}

# All that runs on a GPU, on both software GPUs. Without them these tests fail.
tier_gpu() { build release all && run_ctest release -L gpu; }

tier_golden() { build release all && run_ctest release -L golden; }
tier_stories() { build release all && run_ctest release -L stories; }
tier_cli() { build release all && run_ctest release -L cli; }

# In Chromium and Node: the C++ tests as WASM (tests/browser/programs), the package, and pages that use it.
tier_browser() {
  setup web
  setup_chromium_lavapipe
  build release all
  web_package
  build wasm all
  build wasm-threads all
  run_ctest wasm -L browser
  run_ctest wasm-threads -L browser
  run_vitest packages/weft
  run_vitest tests/browser
  # The package as its users get it, in an empty Vite project and an empty Node project.
  one_test bash packages/weft/tests/package.sh
}

# run_vitest FOLDER: its *.test.ts, one file after the other, which share the processors anyway; adds the single tests to
# passed, failed and skipped. None is a failure.
run_vitest() {
  local report ok bad skip
  report=$(mktemp)
  node node_modules/vitest/vitest.mjs run --root "$1" --no-file-parallelism --reporter=verbose --reporter=json \
    --outputFile.json="$report" 2>&1 | grep -vE '^ *$' || true
  read -r ok bad skip < <(node -p 'const r = JSON.parse(fs.readFileSync(process.argv[1] || "{}"));
    const failed = r.numFailedTests + (r.success || r.numFailedTests ? 0 : 1);
    [r.numPassedTests, failed, r.numPendingTests + r.numTodoTests].join(" ")' "$report" || echo "0 1 0")
  rm -f "$report"
  [ "$((ok + bad))" -gt 0 ] || bad=1
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

tier_tsan() {
  build tsan $(programs $tsan_tests)
  run_ctest tsan -R "^unit\.(${tsan_tests// /|})\$"
}

tier_install() {
  build release all
  one_test bash tests/install/run.sh build/release
}

readonly tiers="lint unit golden stories cli gpu wgsl browser install tsan"

run_tests() {
  local passed=0 failed=0 skipped=0 start=$SECONDS tier tier_start
  local DEV_TESTS=ON
  setup test
  if [ $# = 0 ]; then
    for tier in $tiers; do
      say "── $tier"
      tier_start=$SECONDS
      "tier_$tier"
      say "   $tier took $((SECONDS - tier_start)) s"
    done
  elif [[ " $tiers " == *" $1 "* ]]; then
    "tier_$1"
  else
    build release all
    run_ctest release -R "$1"
  fi
  [ -d ../shared/data ] || say "skipped: no shared data (the tests that read ../shared/data said so above)"
  say "tests took $((SECONDS - start)) s"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

lint() {
  python3 tools/check_layers.py || return 1
  local files
  files=$(git ls-files '*.cc' '*.h' '*.c' '*.hpp' | grep -v 'src/text/unicode_tables')
  # shellcheck disable=SC2086
  clang-format-19 --dry-run -Werror $files
}

fmt() {
  setup test
  # shellcheck disable=SC2046
  clang-format-19 -i $(git ls-files '*.cc' '*.h' '*.c' '*.hpp' | grep -v 'src/text/unicode_tables')
}

# ./dev fuzz [seconds [name]]: each fuzzer for that long (default 60 s), under address and undefined sanitizers.
fuzz() {
  local seconds=${1:-60} only=${2:-} program name
  setup test
  build fuzz all
  for program in build/fuzz/fuzz/*_fuzz; do
    name=$(basename "$program")
    [[ -z $only || $name == *$only* ]] || continue
    say "── $name for $seconds s"
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/findings
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" 2>&1 |
      grep -E 'DONE|ERROR|SUMMARY|stat::number_of_executed|stat::new_units' || true
    [ -z "$(compgen -G "build/fuzz/findings/$name-*")" ] || die "$name found something: build/fuzz/findings"
  done
}
