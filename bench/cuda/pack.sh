#!/usr/bin/env bash
# Packs what `npm run test:cuda` and `npm run bench:cuda` need beside the sources, for a machine with a GPU and no network:
# this Node.js, the packages but for those that only lint or show, what the compiler made. Of the same processor and system.
#
#   bench/cuda/pack.sh             writes bench/cuda/packed.tar.xz, which git ignores; setup.sh there unpacks it
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$folder/../.."
mkdir -p "$folder/.node/bin"
cp "$(node -p process.execPath)" "$folder/.node/bin/node"
strip --strip-debug "$folder/.node/bin/node" 2> /dev/null || true
left_out=(@biomejs onnxruntime-web onnxruntime-common protobufjs @img/sharp-libvips-linuxmusl-x64 watr)
tar "${left_out[@]/#/--exclude=node_modules/}" -cJf "$folder/packed.tar.xz" dist node_modules bench/cuda/.node
rm -r "$folder/.node"
du -m "$folder/packed.tar.xz"
