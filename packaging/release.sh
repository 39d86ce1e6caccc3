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

# Nothing stays behind of a release that fails.
work=$(mktemp -d)
committed=
trap 'code=$?; rm -rf "$work"; [ -n "$committed" ] || git reset -q --hard; exit $code' EXIT
trap 'exit 1' HUP INT TERM

now() { LC_ALL=C date -u "$@"; }
edit() {
  sed "$2" "$1" >"$work/edited"
  cat "$work/edited" >"$1"
}
# replace FILE PATTERN TEXT: a pattern that no line has is a mistake.
replace() {
  grep -q "$2" "$1" || fail "no $2 in $1"
  edit "$1" "s/$2/$3/"
}
old=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)

replace CHANGELOG.md '^## \[Unreleased\]$' "## [$version] - $(now +%Y-%m-%d)"
replace Cargo.toml '^version = ".*"$' "version = \"$version\""
replace packaging/alpine/APKBUILD '^pkgver=.*' "pkgver=$version"
replace packaging/alpine/APKBUILD '^\(SKIP  s6-tls-\)[0-9.]*[0-9]' "\1$version"
replace packaging/arch/PKGBUILD '^pkgver=.*' "pkgver=$version"
replace packaging/fedora/s6-tls.spec '^\(Version: *\).*' "\1$version"
replace packaging/freebsd/Makefile '^\(DISTVERSION=.\).*' "\1$version"
replace packaging/nix/package.nix '^  version = .*' "  version = \"$version\";"
replace packaging/void/template '^version=.*' "version=$version"
if [ "$version" = "$old" ]; then
  # The first release: the changelogs of packages have its entry, with a date to replace.
  replace packaging/fedora/s6-tls.spec "^\* .*\( The .* - $version-1\)\$" "* $(now '+%a %b %d %Y')\1"
  replace packaging/debian/changelog '^\( -- .*>  \).*' "\1$(now '+%a, %d %b %Y %T +0000')"
else
  git mv packaging/gentoo/*.ebuild "packaging/gentoo/s6-tls-$version.ebuild"
  replace packaging/fedora/s6-tls.spec '^%changelog' "&\\
* $(now '+%a %b %d %Y') The s6-tls authors <s6-tls@example.org> - $version-1\\
- New release: see CHANGELOG.md.\\
"
  cat - packaging/debian/changelog >"$work/changelog" <<EOF
s6-tls ($version-1) unstable; urgency=medium

  * New release: see CHANGELOG.md.

 -- The s6-tls authors <s6-tls@example.org>  $(now '+%a, %d %b %Y %T +0000')

EOF
  cat "$work/changelog" >packaging/debian/changelog
fi
# The date of the manual pages is that of the changelog above.
for page in doc/man/*; do
  edit "$page" "s/^\.Dd .*/.Dd $(now '+%B %-d, %Y')/; s/^\.Os .*/.Os \"s6-tls $version\"/"
done
# Cargo writes the versions of our own packages into the lock files.
cargo metadata --format-version=1 >/dev/null
cargo metadata --format-version=1 --manifest-path fuzz/Cargo.toml >/dev/null

git commit -q -a -m "Release $version"
committed=yes
git tag -a "v$version" -m "s6-tls $version"
sh packaging/dist.sh "${CARGO_TARGET_DIR:-target}/dist"
echo "release: $version is committed and tagged: git push --follow-tags"
