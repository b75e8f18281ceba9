#!/usr/bin/env bash
# Paired CPU benchmark against llama.cpp's packaged llama-bench: the same synthetic files, the same machine, one after
# the other, R rounds each, medians of tokens/s. Usage: llama_bench.sh WEFT [ROUNDS]. Needs `./dev setup peers`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
weft=$1
rounds=${2:-3}
prefix=$PWD/.deps/prefix
lib=$prefix/usr/lib/x86_64-linux-gnu
out=$PWD/build/bench
mkdir -p "$out"

# The package needs its own C library, its loader, and the folder of its backends as working directory.
llama_bench() {
  (cd "$lib/ggml/backends0" && "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$lib/llama" "$prefix/usr/bin/llama-bench" "$@")
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# json_number KEY: the numbers of that key in a JSON text, in order.
json_number() { grep -o "\"$1\": *[0-9.]*" | grep -o '[0-9.]*$'; }

printf '%-6s %-8s %8s | %10s %10s %7s | %10s %10s %7s\n' type threads round 'weft pp' 'llama pp' ratio 'weft tg' 'llama tg' ratio
for type in q8_0 q4_0; do
  model=$out/smollm2-135m-$type.gguf
  [ -f "$model" ] || "$weft" synth smollm2-135m "$model" --type "$type"
  for threads in 1 2; do
    : >"$out/rows"
    for ((round = 1; round <= rounds; ++round)); do
      ours=$("$weft" bench -m "$model" -p 128 -n 32 -r 3 -t "$threads" --json)
      theirs=$(llama_bench -m "$model" -p 128 -n 32 -r 3 -t "$threads" -fa 1 -o json 2>/dev/null)
      read -r wp wt < <(json_number tps <<<"$ours" | head -n 2 | tr '\n' ' '; echo)
      read -r lp lt < <(json_number avg_ts <<<"$theirs" | head -n 2 | tr '\n' ' '; echo)
      echo "$wp $lp $wt $lt" >>"$out/rows"
    done
    wp=$(cut -d' ' -f1 "$out/rows" | median) lp=$(cut -d' ' -f2 "$out/rows" | median)
    wt=$(cut -d' ' -f3 "$out/rows" | median) lt=$(cut -d' ' -f4 "$out/rows" | median)
    awk -v a="$type" -v b="$threads" -v r="$rounds" -v wp="$wp" -v lp="$lp" -v wt="$wt" -v lt="$lt" 'BEGIN {
      printf "%-6s %-8s %8s | %10.1f %10.1f %6.2fx | %10.1f %10.1f %6.2fx\n", a, b, r, wp, lp, wp / lp, wt, lt, wt / lt }'
  done
done
