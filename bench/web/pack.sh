#!/usr/bin/env bash
# Everything that bench/web/h200.sh needs on a bare machine, as .carry/web.aa, .carry/web.ab …, each small enough for one
# transfer: the built page, Node, Chromium, their libraries except the C library's, a font, Node's WebGPU, and the package.
#
#   bench/web/pack.sh [PART_MIB]     after ./dev bench web (or npm run build -w weft-bench-web)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
part=${1:-36}
out=$PWD/.carry
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$out" "$folder"/{lib,fonts,bench/web/tools,node_modules/weft,node_modules/webgpu}

[ -f bench/web/dist/index.html ] || { echo "pack: bench/web is not built" >&2; exit 1; }
cp -r bench/web/dist bench/web/*.mjs "$folder/bench/web/"
cp bench/web/tools/*.mjs "$folder/bench/web/tools/"
rm -f "$folder"/bench/web/dist/assets/ort-* # the one in peers/ is used
cp bench/web/h200.sh "$folder/"

cp -r packages/weft/dist packages/weft/package.json "$folder/node_modules/weft/"
cp node_modules/webgpu/{package.json,*.js} "$folder/node_modules/webgpu/"
mkdir -p "$folder/node_modules/webgpu/dist"
cp -r node_modules/webgpu/dist/linux-x64 "$folder/node_modules/webgpu/dist/"

cp "$(command -v node)" "$folder/node"
strip "$folder/node"
cp -r /usr/lib/chromium "$folder/chromium"
rm -rf "$folder"/chromium/{libVkLayer*,libVkICD*,*.TOC,chrome_200_percent.pak}
find "$folder/chromium/locales" -type f ! -name 'en-US.pak' -delete
cp /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf "$folder/fonts/"

# What is loaded by name at run time: NSS's modules, and what NVIDIA's Vulkan driver asks for.
system=/usr/lib/x86_64-linux-gnu
late=("$system"/{libsoftokn3.so,libfreebl3.so,libfreeblpriv3.so,libnssckbi.so,libEGL.so.1,libGLdispatch.so.0})
[ ! -f "$system/libvulkan.so.1" ] || late+=("$system/libvulkan.so.1")
for file in "$folder/node" "$folder/chromium/chromium" "${late[@]}" "$folder/node_modules/webgpu/dist/linux-x64/dawn.node"; do
  ldd "$file" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }'
done | sort -u | grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|libutil|libanl|ld-linux-x86-64)\.so' | xargs -I{} cp -L {} "$folder/lib/"
cp -L "${late[@]}" "$folder/lib/"
[ -f "$folder/lib/libvulkan.so.1" ] || cp "$folder/chromium/libvulkan.so.1" "$folder/lib/"

cat >"$folder/fonts.conf" <<'CONF'
<?xml version="1.0"?>
<fontconfig><dir prefix="relative">fonts</dir><cachedir>/tmp/weft-web-fonts</cachedir></fontconfig>
CONF
rm -f "$out"/web.a?
tar -C "$folder" -c . | xz -T2 -"${PACK_LEVEL:-6}" | split -b "${part}M" - "$out/web."
ls -l "$out"/web.a?
