#!/bin/sh
# Boots Debian's kernels in qemu, and tries the programs and the sandbox there. $1:
# the directory to work in; $2: the native target. Kernels and busybox come from
# Debian's archive, through lists of packages of its own: nothing is installed. The
# native programs are there already.
set -eu
cd "$(dirname "$0")/.."
. tests/cross.sh
work=$1 native=$2
mirror=${MIRROR:-http://deb.debian.org/debian}
# The suite that busybox is from; suites of backports have none.
current=trixie

for tool in apt-get cpio dpkg-deb openssl; do
  command -v $tool >/dev/null || { echo "SKIPPED: no $tool"; exit 0; }
done

# packages ARCHITECTURE SUITE COMMAND...: apt, for another system.
packages() {
  architecture=$1 suite=$2
  shift 2
  state=$work/apt/$architecture-$suite
  if [ ! -d "$state" ]; then
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    echo "deb $mirror $suite main" >"$state/sources.list"
  fi
  "$@" -q -o Dir::State="$state" -o Dir::State::status="$state/status" \
    -o Dir::Cache="$state/cache" -o Dir::Etc::sourcelist="$state/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
    -o APT::Sandbox::User=root
}

# The package on which $3 depends whose name starts with $4; $3 if there is none.
needed() {
  found=$(packages "$1" "$2" apt-cache depends "$3" | sed -n "s/^ *Depends: \($4[^ ]*\)/\1/p")
  echo "${found:-$3}" | head -n 1
}

# unpacked ARCHITECTURE SUITE PACKAGE: the directory with its files.
unpacked() {
  files=$work/packages/$1-$2-$3
  if [ ! -d "$files" ]; then
    mkdir -p "$files.new"
    (cd "$files.new" && packages "$1" "$2" apt-get download "$3" >&2)
    dpkg-deb -x "$files.new"/*.deb "$files.new"
    mv "$files.new" "$files"
  fi
  echo "$files"
}

# What the virtual machine runs as process 1, from tests/vm/init, beside it our
# programs from $2, the sandbox's test $3, busybox $4: the file $1. $strip makes them
# small.
initramfs() {
  root=$(mktemp -d "$work/root.XXXXXX")
  mkdir -p "$root/bin" "$root/keys/vm.test" "$root/proc" "$root/sys" "$root/dev" "$root/etc"
  cp tests/vm/init "$root/init"
  cp "$3" "$root/bin/attempts"
  for program in "$2"/s6-*; do
    [ -f "$program" ] && [ -x "$program" ] && cp "$program" "$root/bin"
  done
  "$strip" "$root"/bin/*
  cp "$4" "$root/bin/busybox"
  cp "$work/fullchain.pem" "$work/privkey.pem" "$root/keys/vm.test"
  echo 'root:x:0:0::/:/bin/sh' >"$root/etc/passwd"
  (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) | gzip -1 >"$1"
  rm -rf "$root"
}

# boot NAME ARCHITECTURE SUITE KERNEL: prints what the machine says, and fails if it
# does not say that all is right.
boot() {
  case $2 in
    amd64)
      # On a busy host an emulated timer does not pass the kernel's check.
      qemu='qemu-system-x86_64 -cpu max' console='ttyS0 no_timer_check'
      programs=$native_programs attempts=$native_attempts strip=strip
      ;;
    arm64)
      qemu='qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on' console=ttyAMA0
      programs=$arm_programs attempts=$arm_attempts strip=aarch64-linux-gnu-strip
      ;;
  esac
  ${qemu%% *} --version >/dev/null 2>&1 || { echo "SKIPPED: $1: no ${qemu%% *}"; return; }
  [ -n "$programs" ] || { echo "SKIPPED: $1: no cross compiler"; return; }
  for origin in "$3" $current; do
    packages "$2" "$origin" apt-get update >/dev/null
  done
  image=$(needed "$2" "$3" "$4" linux-image-)
  kernel=$(unpacked "$2" "$3" "$(needed "$2" "$3" "$image" linux-binary-)")
  busybox=$(unpacked "$2" $current busybox-static)
  initramfs "$work/$1.cpio.gz" "$programs" "$attempts" "$(find "$busybox" -path '*bin/busybox')"
  # $qemu is several words.
  # shellcheck disable=SC2086
  timeout 1200 $qemu -accel tcg -smp 2 -m 1536 -nographic -no-reboot -nic none \
    -kernel "$(find "$kernel" -name 'vmlinu[xz]*' -type f)" -initrd "$work/$1.cpio.gz" \
    -append "console=$console quiet panic=-1" </dev/null 2>&1 | tr -d '\r' >"$work/$1.log" || :
  sed -n 's/^VM: /'"$1"': /p' "$work/$1.log"
  if ! grep -q '^VM: all is right$' "$work/$1.log"; then
    echo "$1: FAILED: see $work/$1.log" >&2
    failed=1
  fi
}

# The file of the test of the sandbox that cargo has built, told on standard input.
built_test() {
  sed -n 's/.*"executable":"\([^"]*attempts-[^"]*\)".*/\1/p' | tail -n 1
}

mkdir -p "$work"
work=$(cd "$work" && pwd)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj /CN=vm.test -addext subjectAltName=DNS:vm.test \
  -keyout "$work/privkey.pem" -out "$work/fullchain.pem" 2>/dev/null

attempts() {
  cargo test -p s6-tls-sandbox --locked --target "$1" --test attempts --no-run \
    --message-format json | built_test
}
targets=$(cargo metadata --format-version 1 --no-deps --offline |
  sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
native_programs=$targets/$native/debug native_attempts=$(attempts "$native")
arm_programs='' arm_attempts=''
cross aarch64
if command -v "$compiler" >/dev/null && timeout 60 rustup target add "$target" 2>/dev/null; then
  cargo build --workspace --exclude s6-tls-bench --exclude s6-tls-tables --locked \
    --target "$target"
  arm_programs=$targets/$target/debug arm_attempts=$(attempts "$target")
fi

failed=
boot x86_64-oldest amd64 bullseye linux-image-cloud-amd64
boot x86_64-newest amd64 trixie-backports linux-image-cloud-amd64
boot aarch64-4k arm64 trixie linux-image-cloud-arm64
boot aarch64-16k arm64 trixie linux-image-arm64-16k
[ -z "$failed" ]
