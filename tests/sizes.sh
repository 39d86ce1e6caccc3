#!/bin/sh
# Every release binary in directory $1 is static and within its size: an engine
# 2.7 MB, any other program 1.3 MB, and with musl 2 MB and 600 KB; and only the
# engines hold TLS.
set -eu
case $1 in *-musl*) engine=2000000 other=600000 ;; *) engine=2700000 other=1300000 ;; esac
bad=0
for file in "$1"/s6-* "$1"/proxy-server; do
  case $file in *.d) continue ;; *-io) limit=$engine tls=1 ;; *) limit=$other tls=0 ;; esac
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
