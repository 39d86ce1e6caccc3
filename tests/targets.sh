#!/bin/sh
# Checks that everything compiles without warnings for systems that no test runs
# on. `cargo check` links nothing, so ring's C is not compiled: a stand-in for the
# C compiler makes empty object files. A target that cannot be added is named. The
# arguments: the targets, all of them by default.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/cc" <<'END'
#!/bin/sh
previous=
for argument; do
  if [ "$previous" = -o ]; then : >"$argument"; fi
  previous=$argument
done
END
chmod +x "$dir/cc"

[ $# -gt 0 ] || set -- \
  aarch64-apple-darwin \
  aarch64-unknown-linux-musl \
  arm-unknown-linux-musleabi \
  armv7-unknown-linux-gnueabihf \
  armv7-unknown-linux-musleabihf \
  i686-unknown-linux-musl \
  loongarch64-unknown-linux-gnu \
  mips64el-unknown-linux-gnuabi64 \
  powerpc-unknown-linux-gnu \
  powerpc64-unknown-linux-gnu \
  powerpc64le-unknown-linux-gnu \
  riscv64gc-unknown-linux-gnu \
  riscv64gc-unknown-linux-musl \
  s390x-unknown-linux-gnu \
  sparc64-unknown-linux-gnu \
  x86_64-unknown-freebsd \
  x86_64-unknown-illumos \
  x86_64-unknown-netbsd \
  x86_64-unknown-openbsd
for target; do
  if ! timeout 60 rustup target add "$target" >/dev/null 2>&1; then
    echo "SKIPPED: no target $target"
    continue
  fi
  # The benchmark reads /proc, and has no perf_event_open(2) for four of these.
  case $target in
    armv7-* | i686-* | powerpc-* | s390x-*) not='--exclude s6-tls-bench' ;;
    *-linux-*) not= ;;
    *) not='--exclude s6-tls-bench' ;;
  esac
  name=$(echo "$target" | tr - _)
  # $not is two words or none.
  # shellcheck disable=SC2086
  env "CC_$name=$dir/cc" "AR_$name=true" RUSTFLAGS='-D warnings' \
    cargo check -q --workspace $not --locked --target "$target"
  echo "compiles: $target"
done
