#!/bin/sh
# Writes the archives of a release: the sources as they are in the last commit,
# and the crates that they depend on, which unpack into the same directory. The
# same commit gives the same bytes.
# Usage: packaging/dist.sh DIRECTORY
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=s6-tls-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

git archive --prefix="$name/" HEAD | gzip -9n >"$out/$name.tar.gz"

vendor=$work/$name/vendor
mkdir -p "$vendor"
cargo vendor --quiet --locked --versioned-dirs "$vendor" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}
# What only Windows needs is half of it all, and prebuilt: its manifests are
# enough here.
for crate in "$vendor"/windows*; do
  sum=$(sed 's/.*"package":"\([0-9a-f]*\)".*/\1/' "$crate/.cargo-checksum.json")
  find "$crate" -mindepth 1 -maxdepth 1 ! -name Cargo.toml -exec rm -rf {} +
  mkdir "$crate/src"
  : >"$crate/src/lib.rs"
  printf '{"files":{},"package":"%s"}' "$sum" >"$crate/.cargo-checksum.json"
done
cat >"$vendor/config.toml" <<'C'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
C
tar --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner \
  --mode=u=rwX,go=rX -C "$work" -cf - "$name" | gzip -9n >"$out/$name-vendor.tar.gz"

cd "$out"
sha256sum "$name.tar.gz" "$name-vendor.tar.gz" >"$name.sha256"
cat "$name.sha256"
