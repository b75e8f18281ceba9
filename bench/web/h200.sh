#!/usr/bin/env bash
# The benchmark on a machine with a GPU where nothing can be installed. bench/web/pack.sh makes what travels; every part is
# taken in by a call of its own if they do not fit one transfer:
#
#   bash bench/web/h200.sh take .carry/web.aa          # once for each part, any number a call
#   bash bench/web/h200.sh run .carry/weft.tar.xz      # the last call; needs the packaged native program
#
# Environment: GPU (native), MODELS ("smollm2-135m:q8_0 llama-3.2-1b:q4_0"), ROUNDS (3), RUNS (2), PROMPT (128), TOKENS (128),
# LIMIT (60: seconds a sample may take), OUT (where JSON goes), PEERS ("yes"), THREADS (8: of the CPU engines; empty: GPU alone).
set -uo pipefail
place=${WEFT_WEB_PLACE:-/tmp/weft-web}
mkdir -p "$place/parts"

if [ "${1:-}" = take ]; then
  shift
  cp "$@" "$place/parts/"
  ls -l "$place/parts"
  exit 0
fi
[ "${1:-}" = run ] || { echo "usage: h200.sh take PART… | run WEFT.tar.xz" >&2; exit 2; }
SECONDS=0
say() { echo "[$SECONDS s] $*"; }
out=${OUT:-$place/out}
gpu=${GPU:-native}
mkdir -p "$out" "$place/models" "$place/weft"
if [ ! -x "$place/node" ]; then
  cat "$place"/parts/web.* | tar -C "$place" -xJ || exit 1
fi
[ -n "$(ls "$place/weft")" ] || tar -C "$place/weft" -xJf "$2" || exit 1
weft=$(find "$place/weft" -maxdepth 2 -name weft -type f -perm -u+x | head -n 1)
say "unpacked; native program: $weft"

nvidia=/usr/local/nvidia
icd=$nvidia/share/vulkan/icd.d/nvidia_icd.json
export LD_LIBRARY_PATH=$place/lib:$nvidia/lib64:$nvidia/lib FONTCONFIG_FILE=$place/fonts.conf XDG_CACHE_HOME=$place/cache
if [ "$gpu" = native ] && [ -f $icd ]; then
  export VK_DRIVER_FILES=$icd __EGL_VENDOR_LIBRARY_FILENAMES=$nvidia/share/glvnd/egl_vendor.d/10_nvidia.json
fi
# The native program brings its own C library and loader: it must not see the libraries above.
native() { env -u LD_LIBRARY_PATH "$weft" "$@"; }
node() { "$place/node" "$@"; }
native devices 2>&1 | head -n 12

models=${MODELS:-smollm2-135m:q8_0 llama-3.2-1b:q4_0}
for model in $models; do
  file=$place/models/${model%:*}-${model#*:}.gguf
  [ -f "$file" ] || native synth "${model%:*}" "$file" --type "${model#*:}" >/dev/null 2>&1 || say "no model $model"
done
say "models made"

# bench NAME OPTIONS…: one run of the page; what failed is in its table.
bench() {
  local name=$1
  shift
  say "== $name"
  timeout "${STEP_LIMIT:-200}" "$place/node" "$place/bench/web/run.mjs" --chromium "$place/chromium/chromium" --weft "$weft" --models "$place/models" --gpu "$gpu" \
    --prompt "${PROMPT:-128}" --tokens "${TOKENS:-128}" --rounds "${ROUNDS:-3}" --runs "${RUNS:-2}" --limit "${LIMIT:-60}" --json "$out/$name.json" "$@" \
    2>"$out/$name.log" || { say "$name: exit status $?"; tail -n 5 "$out/$name.log"; }
}
# decode FILE: Weft's on the GPU of a run's JSON.
decode() {
  node -e 'const r = JSON.parse(require("fs").readFileSync(process.argv[1])).rows.find(r => r.name === "weft GPU"); console.log(r?.decodeTps?.median ?? 0)' "$1" 2>/dev/null || echo 0
}

peers=weft
[ "${PEERS:-yes}" = yes ] && peers="weft GPU,wllama GPU,transformers.js GPU"
for model in $models; do bench "gpu-${model%:*}" --model "$model" --cpu no --only "$peers"; done

first=${models%% *}
ROUNDS=1 bench "readback-${first%:*}" --model "$first" --cpu no --only "weft GPU" --burst 1
bursts=$(decode "$out/gpu-${first%:*}.json")
readback=$(decode "$out/readback-${first%:*}.json")
say "bursts / read back per token: $(node -p "($bursts / $readback).toFixed(2)") ($bursts / $readback tok/s)"

device=webgpu
for model in $models; do
  file=$place/models/${model%:*}-${model#*:}.gguf
  say "== Node and native, $model"
  timeout 60 "$place/node" "$place/bench/web/node_bench.mjs" "$file" "${PROMPT:-128}" "${TOKENS:-128}" "${RUNS:-2}" 2>&1 | tail -n 3
  (cd "$(dirname "$weft")" && timeout 60 env -u LD_LIBRARY_PATH "$weft" bench -m "$file" --device $device -p "${PROMPT:-128}" -n "${TOKENS:-128}" -r 3 --no-tuning 2>&1 | tail -n 6)
done

if [ -n "${THREADS-8}" ]; then ROUNDS=1 RUNS=1 bench "cpu-${first%:*}" --model "$first" --gpu none --threads "${THREADS-8}"; fi
say "done; JSON in $out"
