#!/bin/sh
# Archives, builds without a network, packages, other names: what packagers do.
# Usage: tests/packaging.sh DIRECTORY-OF-THE-RELEASE-PROGRAMS
set -eu
cd "$(dirname "$0")/.."
source=$PWD
built=$(cd "$1" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
work=$(mktemp -d)
chmod 755 "$work"
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || :; server=; }
trap 'code=$?; stop; rm -rf "$work"; exit $code' EXIT
trap 'exit 1' HUP INT TERM
passed=0
host=$(rustc -vV | sed -n 's/^host: //p')
. tests/packages.sh

ok() {
  passed=$((passed + 1))
  echo "ok: $*"
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# quietly COMMAND...: shows what it prints only if it fails.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }; }

# Whether all these programs are installed: in CI they have to be.
have() {
  for program; do
    command -v "$program" >/dev/null && continue
    [ "${CI:-}" != true ] || fail "no $program"
    echo "SKIPPED: no $program"
    return 1
  done
}

offline() {
  options=-rn
  [ "$(id -u)" != 0 ] || options=-n
  # The tests of a package build talk to themselves.
  unshare $options sh -c 'ip link set lo up && exec "$@"' offline "$@"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
export KEYFILE="$work/key.pem" CERTFILE="$work/cert.pem" CAFILE="$work/cert.pem"

# visit DIRECTORY SUFFIX: a server and a client of these programs, which find
# all others by themselves, beside them.
visit() {
  rm -f "$work/port"
  mkfifo "$work/port"
  "$1/s6-tlsserver$2" -1 -H 127.0.0.1 0 echo hello >"$work/port" 2>"$work/messages" &
  server=$!
  read -r port <"$work/port"
  hello=$("$1/s6-tlsclient$2" -h localhost "$port" sh -c 'cat <&6')
  [ "$hello" = hello ] || fail "no hello from $1"
  ! "$1/s6-tlsclient$2" -h -k other.test localhost "$port" true 2>"$work/refused" ||
    fail "a wrong name passed"
  grep -q "^s6-tlsc-io$2: fatal: " "$work/refused" || fail "$(cat "$work/refused")"
  stop
}

archives() {
  quietly sh packaging/dist.sh "$work/dist"
  (cd "$work/dist" && quietly sha256sum -c "s6-tls-$version.sha256")
  mkdir "$work/again"
  : >"$work/again/s6-tls-0.0.1.tar.gz"
  quietly sh packaging/dist.sh "$work/again"
  diff -r "$work/dist" "$work/again" || fail "the archives differ"
  for archive in "$work"/dist/*.tar.gz; do tar -xf "$archive" -C "$work"; done
  ok "make dist writes the same archives twice, and removes those of another version"
}

# The build for the package is the one without a network and elsewhere.
debian_package() {
  have dpkg-buildpackage lintian unshare || return 0
  mkdir "$work/debian"
  tree=$work/debian/s6-tls-$version
  cp "$work"/dist/recipes/debian/* "$work/debian"
  tar -xf "$work"/debian/*.orig.tar.gz -C "$work/debian"
  quietly diff -r "$work/s6-tls-$version" "$tree"
  cp -r "$tree/packaging/debian" "$tree/debian"
  export RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
  (cd "$tree" && export CARGO_HOME="$work/cargo_home" &&
    unset KEYFILE CERTFILE CAFILE && quietly offline dpkg-buildpackage -us -uc -d)
  quietly dpkg-source --no-check -x "$work"/debian/*.dsc "$work/debian/unpacked"
  quietly diff -r "$work/s6-tls-$version/packaging/debian" "$work/debian/unpacked/debian"
  ok "dpkg-buildpackage builds packages and their source without a network"

  for program in "$tree"/debian/tmp/usr/bin/*; do
    cmp "$program" "$built/${program##*/}" || fail "two builds differ"
    ! grep -qaF -e "$work" -e "$source" -e "$HOME/" "$program" || fail "a path in $program"
  done
  ok "two builds in different directories are the same"

  for package in "$work"/debian/*.deb; do
    dpkg-deb -f "$package" Built-Using | grep -q '^glibc (= ' || fail "no source of glibc for $package"
  done
  # No bug of Debian asks for this package.
  quietly lintian --fail-on error,warning --display-info --allow-root \
    --suppress-tags initial-upload-closes-no-bugs "$work"/debian/*.changes
  ! grep -E 'unused-override|mismatched-override' "$work/log" || fail "an override too many"
  ok "lintian finds no error, and needs every override"

  [ "$(id -u)" = 0 ] || { echo "SKIPPED: only root can install packages"; return 0; }
  root=$work/root
  mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/var/log"
  : >"$root/var/lib/dpkg/status"
  (cd "$root" && find . ! -path './var/*' | sort) >"$work/before"
  quietly dpkg --root="$root" --install "$work"/debian/*.deb
  ok "the packages install"
  sh tests/links.sh "$root/usr/share/doc/s6-tls" || fail "links of the package lead nowhere"
  ok "all links of the packaged documents lead somewhere"
  visit "$root/usr/bin" ''
  service "$root/usr/share/doc/s6-tls/examples/runit"
  quietly dpkg --root="$root" --purge s6-tls s6-tls-tcp s6-tls-applyuidgid
  (cd "$root" && find . ! -path './var/*' | sort) >"$work/after"
  diff "$work/before" "$work/after" || fail "the packages leave something behind"
  ok "purged without a trace"
}

# service DIRECTORY: a web server as the example of this directory has it.
service() {
  have chpst busybox curl || return 0
  cp -r "$1" "$work/service"
  mkdir "$work/www"
  echo page >"$work/www/index.html"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  for setting in IP=127.0.0.1 "PORT=$port" "ROOT=$work/www" "KEYFILE=$KEYFILE" "CERTFILE=$CERTFILE"; do
    echo "${setting#*=}" >"$work/service/env/${setting%%=*}"
  done
  (cd "$work/service" && PATH="$root/usr/bin:$PATH" exec ./run) >"$work/messages" 2>&1 &
  server=$!
  page=$(curl -sS --retry 20 --retry-delay 1 --retry-connrefused --cacert "$CAFILE" \
    "https://localhost:$port/" 2>/dev/null) || fail "$(cat "$work/messages")"
  [ "$page" = page ] || fail "no page"
  stop
  ok "a service of the examples runs from the packages"
}

install_and_uninstall() {
  set -- DESTDIR="$work/place" PREFIX=/opt EXAMPLESDIR=/opt/examples
  quietly make -o all install install-applyuidgid TARGET=host "$@" built="$built"
  (cd "$work/place/opt/bin" && ls) >"$work/installed"
  sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -vx -e all -e s6-tls | sort |
    diff - "$work/installed" || fail "make install has other programs than Cargo.toml"
  [ -x "$work/place/opt/examples/s6/run" ] || fail "no examples"
  quietly make uninstall TARGET=host "$@"
  left=$(find "$work/place" -type f | sed 's,.*/,,' | LC_ALL=C sort | paste -s -d ' ' -)
  [ "$left" = '_s6-applyuidgid s6-applyuidgid s6-applyuidgid s6-applyuidgid.8 s6-applyuidgid.fish' ] ||
    fail "make uninstall takes what may be of the s6 package, or leaves more: $left"
  quietly make uninstall-applyuidgid TARGET=host "$@"
  left=$(find "$work/place" -type f)
  [ -z "$left" ] || fail "make uninstall-applyuidgid leaves $left"
  ok "make uninstall removes what make install installs, and s6-applyuidgid only when asked"
}

# Debug builds, which share all that the tests have built.
debug_programs() {
  target=$(basename "$(dirname "$built")")
  debug=$(dirname "$built")/debug
  S6_TLS_PROGRAM_SUFFIX=-rs quietly cargo build --locked --target "$target"
  quietly make -o all install install-applyuidgid TARGET=host PROGRAM_SUFFIX=-rs built="$debug" \
    DESTDIR="$work/suffix" PREFIX=/usr
  visit "$work/suffix/usr/bin" -rs
  page=$work/suffix/usr/share/man/man8/s6-tlsserver-rs.8
  grep -q '^\.Xr s6-tlsd-rs 8' "$page" || fail "names in $page"
  ! grep -E 's6[\\]?-(tcp|tls|ucspi)[a-z]+[^a-z\-]' "$page" || fail "names in $page"
  grep -qx 'complete -F _s6-tlsd-rs s6-tlsd-rs' \
    "$work/suffix/usr/share/bash-completion/completions/s6-tlsd-rs" || fail "completions"
  ok "PROGRAM_SUFFIX reaches files, chains, messages and manual pages"

  # Last, since it leaves programs without the suffix behind.
  quietly cargo install --locked --debug --path . --root "$work/cargo" \
    --target-dir "${CARGO_TARGET_DIR:-target}" --target "$target"
  visit "$work/cargo/bin" ''
  ok "cargo install: the programs find each other"
}

recipes() {
  have bash shellcheck nix-instantiate || return 0
  for recipe in alpine/APKBUILD arch/PKGBUILD void/template "gentoo/s6-tls-$version.ebuild"; do
    quietly bash -n "packaging/$recipe"
    # Variables are read, and functions called, by who reads the recipe.
    quietly shellcheck -s bash -e SC2034,SC2154,SC2164,SC2317 "packaging/$recipe"
    found=$(P=s6-tls-$version bash -c ". packaging/$recipe; echo \${pkgver:-\${version:-\${P#s6-tls-}}}")
    [ "$found" = "$version" ] || fail "packaging/$recipe is of version $found"
  done
  grep -q "^Version: *$version\$" packaging/fedora/s6-tls.spec || fail "s6-tls.spec: version"
  grep -q "^DISTVERSION=.$version\$" packaging/freebsd/Makefile || fail "freebsd: version"
  quietly python3 packaging/licences.py "$work/licences"
  for file in THIRD-PARTY.txt packaging/debian/copyright; do
    diff -u "$file" "$work/licences/$file" || fail "make licences changes $file"
  done
  found=$(nix-instantiate --eval --strict tests/package.nix 2>"$work/log") || {
    cat "$work/log"
    fail "package.nix"
  }
  [ "$found" = "\"$version\"" ] || fail "package.nix is of version $found"
  grep -q "^s6-tls ($version-" packaging/debian/changelog || fail "debian/changelog: version"
  quietly shellcheck -e SC2016,SC2154 packaging/*.sh tests/*.sh
  ok "shells, shellcheck and nix-instantiate can read the recipes, and licences are up to date"
}

something_new() {
  grep -q '^## \[Unreleased\]$' CHANGELOG.md || printf '\n## [Unreleased]\n' >>CHANGELOG.md
  git commit -q -a --allow-empty -m 'Something new'
}

release() {
  quietly git clone -q . "$work/clone"
  (
    cd "$work/clone"
    export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@example.org
    export GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@example.org CARGO_TARGET_DIR="$work/released"
    git tag -d "v$version" >/dev/null 2>&1 || :
    something_new
    quietly make release TARGET=host VERSION="$version"
    [ -z "$(git status --porcelain)" ] || fail "the first release leaves $(git status --porcelain)"
    [ "$(git describe)" = "v$version" ] || fail "no tag of the first release"
    ! git diff --quiet HEAD~1 packaging/debian/changelog || fail "the placeholder of a date is left"
    for file in packaging/debian/changelog packaging/fedora/s6-tls.spec; do
      [ "$(git show "HEAD~1:$file" | wc -l)" = "$(wc -l <"$file")" ] || fail "two first entries in $file"
    done

    something_new
    quietly make release TARGET=host VERSION=99.0.1
    [ -z "$(git status --porcelain)" ] || fail "the release leaves $(git status --porcelain)"
    [ "$(git describe)" = v99.0.1 ] || fail "no tag"
    ! grep -q "$version" packaging/arch/PKGBUILD || fail "the old version is left"
    grep -q '^\.Os "s6-tls 99\.0\.1"$' doc/man/s6-tlsd.8 || fail "manual pages of the old version"
    quietly cargo metadata --locked --offline --no-deps --format-version=1
    cd "$work/released/dist"
    quietly sha256sum -c s6-tls-99.0.1.sha256
    for recipe in alpine/APKBUILD arch/PKGBUILD fedora/s6-tls.spec freebsd/distinfo \
      gentoo/s6-tls-99.0.1.ebuild gentoo/Manifest void/template; do
      [ -f "recipes/$recipe" ] || fail "no $recipe"
      # Old versions stay in changelogs.
      ! grep -v '^[*-]' "recipes/$recipe" | grep -F -e SKIP -e "$version" ||
        fail "$recipe is not of the release"
    done
    cd "$work/clone"
    ! make release TARGET=host VERSION=99.0.1 >/dev/null 2>&1 || fail "released twice"
    sed -i '/^version=/d' packaging/void/template
    something_new
    ! make release TARGET=host VERSION=99.0.2 >/dev/null 2>&1 || fail "released without a version"
    [ -z "$(git status --porcelain)" ] || fail "a release that fails leaves $(git status --porcelain)"
  ) || exit 1
  ok "make release commits, tags and writes archives"
}

archives
recipes
release
install_and_uninstall
debug_programs
debian_package
stand_ins
arch_package
fedora_package
alpine_package
void_package
echo "$passed passed, 0 failed"
