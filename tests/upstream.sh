#!/bin/sh -e
# upstream.sh TARGET: applies the patches of doc/upstream to the rustls of Cargo.lock in a temporary
# directory, and runs their tests. TARGET is cargo's target directory.
cd "$(dirname "$0")/.."
manifest=$(cargo metadata --offline --locked --format-version 1 |
  grep -o '"manifest_path":"[^"]*/rustls-[0-9.]*/Cargo.toml"' | head -1 | cut -d'"' -f4)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp doc/upstream/Cargo.toml doc/upstream/lib.rs Cargo.lock "$dir"
cp crates/pki/src/testdata/key.pem crates/pki/src/testdata/certificate.pem "$dir"
cp -R "$(dirname "$manifest")" "$dir/rustls"
for patch in doc/upstream/*.patch; do
  echo "$patch"
  patch -d "$dir/rustls" -p2 -s <"$patch"
done
cargo test --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$1"
