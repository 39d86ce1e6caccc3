# shellcheck shell=sh disable=SC2154
# Packages of other systems than Debian, for tests/packaging.sh, which reads this file.
# All of each recipe runs, but for the compiler: stand-ins hand out the programs that
# are built, which are those of the archives to the byte, as the package of Debian shows.

# Cargo and rustc as the Makefile calls them in a tree with the crates' archive.
stand_ins() {
  mkdir -p "$work/tools" "$work/target/$host/release"
  for program in $(programs '' | sort -u); do
    cp "$built/$program" "$work/target/$host/release"
  done
  rustc -vV >"$work/tools/rustc.txt"
  cat >"$work/tools/rustc" <<END
#!/bin/sh
cat "$work/tools/rustc.txt"
END
  cat >"$work/tools/cargo" <<END
#!/bin/sh
echo "\$*" >>"$work/calls"
[ "\$1" != auditable ] || shift
case "\$*" in
  metadata*) echo '{"target_directory":"$work/target","version":1}' ;;
  *'--offline --config vendor/config.toml'*'--locked --target $host'*) [ -f vendor/config.toml ] ;;
  *) echo "cargo: fatal: not what a package may ask for: \$*" >&2; exit 1 ;;
esac
END
  : >"$work/calls"
  chmod 666 "$work/calls"
  chmod 755 "$work/tools/cargo" "$work/tools/rustc"
  PATH=$work/tools:$PATH
}

# The programs of a package, of all without its name.
programs() {
  sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -vx -e all -e s6-tls | sort | case $1 in
    s6-tls) grep -E '^s6-(tls|ucspitls)' ;;
    s6-tls-tcp) grep -E -v '^s6-(tls|ucspitls|applyuidgid)' ;;
    s6-tls-applyuidgid) grep -x s6-applyuidgid ;;
    *) cat ;;
  esac
}

# contains PACKAGE: whether the paths in standard input are what belongs to the
# package: its programs, each with its manual page and completions.
contains() {
  sed 's,^\./,,; s,^/,,' >"$work/paths"
  sed -n 's,^usr/bin/\(.\),\1,p' "$work/paths" | sort >"$work/has"
  programs "$1" | diff - "$work/has" || fail "other programs in $1"
  while read -r program; do
    for path in "share/man/man8/$program.8" "share/bash-completion/completions/$program" \
      "share/fish/vendor_completions.d/$program.fish" "share/zsh/site-functions/_$program"; do
      grep -q "^usr/$path\\(\\.[a-z0-9]*\\)\\{0,1\\}\$" "$work/paths" || fail "no $path in $1"
    done
  done <"$work/has"
}

# Whether each call of cargo asked for the list of crates: with another one cargo builds again,
# and what is tested is not what is packaged.
auditable() { ! grep -v '^auditable ' "$work/calls" || fail "built without cargo auditable"; }

# Archives and the recipe of a system in a directory of its own.
place() {
  : >"$work/calls"
  mkdir "$work/$1"
  cp "$work/dist/recipes/$1"/* "$work"/dist/*.tar.gz "$work/$1"
  cd "$work/$1" || exit 1
}

# files DIRECTORY: all but what package managers keep about packages.
files() { (cd "$1" && find . ! -type d ! -path './var/*' ! -path './.rpmdb/*' | sort); }

arch_package() {
  have makepkg pacman setpriv || return 0
  [ "$(id -u)" = 0 ] || { echo "SKIPPED: only root can install packages"; return 0; }
  (
    place arch
    chown -R 65534 .
    # makepkg does not run as root.
    HOME=$PWD PKGEXT=.pkg.tar quietly setpriv --reuid=65534 --regid=65534 --clear-groups \
      makepkg --nodeps --noconfirm
    mkdir -p root/var/lib/pacman root/var/cache
    printf '[options]\nArchitecture = auto\nSigLevel = Never\n' >pacman.conf
    pacman() {
      quietly command pacman "$@" --noconfirm --config pacman.conf --root "$PWD/root" \
        --dbpath root/var/lib/pacman --cachedir root/var/cache --logfile pacman.log \
        --hookdir hooks --gpgdir gpg
    }
    pacman -U ./*.pkg.tar --assume-installed s6=2
    for package in s6-tls s6-tls-tcp; do
      bsdtar -tf "$package-$version-1-$(uname -m).pkg.tar" | (cd "$source" && contains "$package") || exit 1
    done
    visit "$PWD/root/usr/bin" ''
    pacman -R s6-tls s6-tls-tcp
    [ -z "$(files root)" ] || fail "left behind: $(files root)"
  ) || exit 1
  ok "the Arch packages are built, install, work, and go without a trace"
}

fedora_package() {
  have rpmbuild rpm rpmlint || return 0
  [ "$(id -u)" = 0 ] || { echo "SKIPPED: only root can install packages"; return 0; }
  (
    place fedora
    quietly rpmbuild -ba --nodeps --define "_topdir $PWD/top" --define "_sourcedir $PWD" \
      --define "_docdir %{_prefix}/share/doc" s6-tls.spec
    quietly rpmlint --config rpmlint.toml --strict s6-tls.spec top/RPMS/*/*.rpm top/SRPMS/*.rpm
    mkdir root
    rpm() { command rpm --root "$PWD/root" --dbpath /var/lib/rpm "$@"; }
    quietly rpm --initdb
    quietly rpm --force-debian -i top/RPMS/*/*.rpm
    for package in s6-tls s6-tls-tcp s6-tls-applyuidgid; do
      rpm -ql "$package" | (cd "$source" && contains "$package") || exit 1
    done
    visit "$PWD/root/usr/bin" ''
    quietly rpm -e s6-tls s6-tls-tcp s6-tls-applyuidgid
    [ -z "$(files root)" ] || fail "left behind: $(files root)"
  ) || exit 1
  ok "the RPM packages are built, install, work, and go without a trace"
}

# The functions of an APKBUILD, with a stand-in for what abuild has. The shell is the
# one of Alpine.
alpine_package() {
  have busybox || return 0
  (
    place alpine
    for archive in *.tar.gz; do tar -xf "$archive"; done
    awk '/^sha512sums/ { on = 1; next } /^"/ { on = 0 } on' APKBUILD >sums
    quietly sha512sum -c sums
    cat >abuild <<'END'
set -e
pkgdir=$PWD/s6-tls
amove() {
  for path; do
    for file in "$pkgdir"/$path; do
      target=$subpkgdir/${file#"$pkgdir"/}
      mkdir -p "${target%/*}"
      mv "$file" "$target"
    done
  done
}
. ./APKBUILD
top=$PWD
cd "$pkgname-$pkgver"
build
check
package
for part in tcp applyuidgid; do
  subpkgdir=$top/s6-tls-$part
  $part
done
END
    quietly busybox sh ./abuild
    auditable
    # abuild itself takes manual pages and completions into other packages.
    for package in s6-tls s6-tls-tcp s6-tls-applyuidgid; do
      ls "$package/usr/bin" >has
      (cd "$source" && programs "$package") | diff - has || fail "other programs in $package"
    done
  ) || exit 1
  ok "the functions of the APKBUILD divide the programs (abuild itself is not here)"
}

# The same of a template of xbps-src.
void_package() {
  (
    place void
    for archive in *.tar.gz; do tar -xf "$archive"; done
    cat >xbps-src <<'END'
set -e
top=$PWD
DESTDIR=$top/s6-tls
vlicense() { install -D -m 644 "$1" "$DESTDIR/usr/share/licenses/s6-tls/$1"; }
vmove() {
  for file in "$DESTDIR"/$1; do
    target=$top/s6-tls-tcp/${file#"$DESTDIR"/}
    mkdir -p "${target%/*}"
    mv "$file" "$target"
  done
}
. ./template
sums=($checksum)
for index in 0 1; do
  files=($distfiles)
  echo "${sums[index]}  ${files[index]##*/}"
done | sha256sum -c
cd "s6-tls-$version"
do_build
do_check
do_install
s6-tls-tcp_package
pkg_install
END
    quietly bash ./xbps-src
    auditable
    for package in s6-tls s6-tls-tcp; do
      (cd "$package" && find . -type f) | (cd "$source" && contains "$package") || exit 1
    done
  ) || exit 1
  ok "the functions of the template divide the files (xbps-src itself is not here)"
}
