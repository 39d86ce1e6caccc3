#!/bin/sh
# Makes a release of what is committed: version and date everywhere, a commit, a
# tag, and in target/dist the archives and the recipes with their checksums. Pushes
# nothing.
# Usage: packaging/release.sh VERSION
set -eu
cd "$(dirname "$0")/.."
version=${1:-}

fail() {
  echo "release: fatal: $*" >&2
  exit 1
}

case $version in
  '' | *[!0-9.]* | .* | *. | *..*) fail "usage: make release VERSION=1.2.3" ;;
esac
[ -z "$(git status --porcelain)" ] || fail "there is something uncommitted"
! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || fail "v$version is there already"
grep -q '^## \[Unreleased\]$' CHANGELOG.md || fail "CHANGELOG.md has nothing under Unreleased"

# replace FILE EXPRESSION: an edit that changes nothing is a mistake.
replace() {
  sed "$2" "$1" >"$1.new"
  ! cmp -s "$1" "$1.new" || fail "nothing to replace in $1"
  cat "$1.new" >"$1"
  rm "$1.new"
}

replace CHANGELOG.md "s/^## \[Unreleased\]\$/## [$version] - $(date -u +%Y-%m-%d)/"
replace Cargo.toml "s/^version = \".*\"\$/version = \"$version\"/"
replace packaging/alpine/APKBUILD "s/^pkgver=.*/pkgver=$version/; s/^\(SKIP  s6-tls-\)[0-9.]*[0-9]/\1$version/"
replace packaging/arch/PKGBUILD "s/^pkgver=.*/pkgver=$version/"
replace packaging/fedora/s6-tls.spec "s/^\(Version: *\).*/\1$version/
  s/^%changelog/&\\
* $(LC_ALL=C date -u '+%a %b %d %Y') The s6-tls authors <s6-tls@example.org> - $version-1\\
- New release: see CHANGELOG.md.\\
/"
replace packaging/freebsd/Makefile "s/^\(DISTVERSION=\t\).*/\1$version/"
git mv packaging/gentoo/*.ebuild "packaging/gentoo/s6-tls-$version.ebuild"
replace packaging/nix/package.nix "s/^  version = .*/  version = \"$version\";/"
replace packaging/void/template "s/^version=.*/version=$version/"
cat - packaging/debian/changelog >packaging/debian/changelog.new <<EOF
s6-tls ($version-1) unstable; urgency=medium

  * New release: see CHANGELOG.md.

 -- The s6-tls authors <s6-tls@example.org>  $(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S +0000')

EOF
mv packaging/debian/changelog.new packaging/debian/changelog
# The date of the manual pages is that of the changelog above.
for page in doc/man/*; do
  sed -e "s/^\.Dd .*/.Dd $(LC_ALL=C date -u '+%B %-d, %Y')/" \
    -e "s/^\.Os .*/.Os \"s6-tls $version\"/" "$page" >"$page.new"
  mv "$page.new" "$page"
done
# Cargo writes the versions of our own packages into the lock files.
cargo metadata --format-version=1 >/dev/null
cargo metadata --format-version=1 --manifest-path fuzz/Cargo.toml >/dev/null

git commit -q -a -m "Release $version"
git tag -a "v$version" -m "s6-tls $version"
sh packaging/dist.sh "${CARGO_TARGET_DIR:-target}/dist"
echo "release: $version is committed and tagged: git push --follow-tags"
