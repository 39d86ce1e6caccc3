#!/bin/sh
# Every release binary is static and within its size: an engine 2.5 MB, any
# other program 1.3 MB; and only the engines hold TLS.
set -eu
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
bad=0
for file in "${CARGO_TARGET_DIR:-target}/$host"/release/s6-* "${CARGO_TARGET_DIR:-target}/$host"/release/proxy-server; do
  case $file in *.d) continue ;; *-io) limit=2500000 tls=1 ;; *) limit=1300000 tls=0 ;; esac
  size=$(wc -c <"$file")
  if [ "$size" -gt "$limit" ]; then
    echo "too large: $file: $size bytes, at most $limit"
    bad=1
  fi
  if grep -q 'tls13 ' "$file"; then found=1; else found=0; fi
  if [ "$found" != "$tls" ]; then
    echo "holds TLS: $found, should be $tls: $file"
    bad=1
  fi
done
exit $bad
