#!/bin/sh
# Which target the programs are built for, and why: TARGET REASON...
# That is musl's of the host's architecture where the toolchain has it or can
# get it, for its programs start in half the time. It is tried once for a
# toolchain: $1 is a file that keeps a failure in mind.
set -u
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in
  *-linux-gnu*) musl=$(echo "$host" | sed 's/-gnu/-musl/') ;;
  *) echo "$host" "the host's"; exit ;;
esac
has_musl() {
  set -- "$(rustc --print sysroot)/lib/rustlib/$musl/lib"/libstd-*.rlib
  [ -e "$1" ]
}
toolchain=$(rustc -V)
if ! has_musl && [ "$(cat "$1" 2>/dev/null)" != "$toolchain" ]; then
  timeout 10 rustup target add "$musl" >/dev/null 2>&1 ||
    { mkdir -p "$(dirname "$1")" && echo "$toolchain" >"$1"; } 2>/dev/null
fi
if has_musl; then
  echo "$musl" "musl's programs start in half the time"
else
  echo "$host" "the host's, since $musl could not be added"
fi
