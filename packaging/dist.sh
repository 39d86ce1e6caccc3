#!/bin/sh
# Writes the archives of a release: the sources as they are in the last commit,
# and the crates that they depend on, which unpack into the same directory; and the
# recipes of packages with the checksums of both, which cannot be in these archives
# themselves; for Debian, which does not know of such recipes, both archives in one.
# The same commit gives the same bytes. Archives of other versions are removed.
# Usage: packaging/dist.sh DIRECTORY
set -eu
cd "$(dirname "$0")/.."
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=s6-tls-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -f "$out"/s6-tls-*.tar.gz "$out"/s6-tls-*.sha256
# pack ARCHIVE: what $work/$name has, with the time of the commit.
pack() {
  tar --sort=name --mtime="@$(git log -1 --format=%ct)" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX -C "$work" -cf - "$name" | gzip -9n >"$1"
}

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
pack "$out/$name-vendor.tar.gz"

mkdir "$work/recipes"
git archive HEAD packaging | tar -xf - -C "$work/recipes" --strip-components=1
rm -rf "$out/recipes"
mkdir "$out/recipes"
for system in alpine arch fedora freebsd gentoo void; do
  mv "$work/recipes/$system" "$out/recipes"
done

cd "$out"
# edit FILE EXPRESSION
edit() { sed -i "$2" "recipes/$1"; }
# sum COMMAND ARCHIVE: the checksum alone.
sum() { "$1" "$2" | cut -d ' ' -f 1; }
sums=
: >recipes/gentoo/Manifest
# The port takes this as the time of the archives.
git -C "$OLDPWD" log -1 --format='TIMESTAMP = %ct' >recipes/freebsd/distinfo
for archive in "$name.tar.gz" "$name-vendor.tar.gz"; do
  sums="$sums $(sum sha256sum "$archive")"
  sha512=$(sum sha512sum "$archive")
  size=$(wc -c <"$archive")
  edit alpine/APKBUILD "s/^SKIP\(  $archive\)\$/$sha512\1/"
  echo "DIST $archive $size BLAKE2B $(sum b2sum "$archive") SHA512 $sha512" >>recipes/gentoo/Manifest
  printf '%s\n' "SHA256 ($archive) = ${sums##* }" "SIZE ($archive) = $size" >>recipes/freebsd/distinfo
done
edit arch/PKGBUILD "s/^sha256sums=.*/sha256sums=(${sums# })/"
edit void/template "s/^checksum=.*/checksum=\"${sums# }\"/"
! grep -r SKIP recipes || { echo "dist: fatal: a checksum is missing" >&2; exit 1; }

cd "$OLDPWD"
git archive --prefix="$name/" HEAD | tar -xf - -C "$work"
mkdir "$out/recipes/debian"
pack "$out/recipes/debian/s6-tls_$version.orig.tar.gz"

cd "$out"
sha256sum "$name.tar.gz" "$name-vendor.tar.gz" >"$name.sha256"
cat "$name.sha256"
