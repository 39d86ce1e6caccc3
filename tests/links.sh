#!/bin/sh
# Follows all links from the Markdown pages below a directory to files. A link to a compressed
# page is dead, since no reader finds it.
# Usage: tests/links.sh DIRECTORY
set -eu
cd "$1"
pages=$(find . -name '*.md' -not -path '*/target/*' -not -path './vendor/*')
[ "$(echo "$pages" | wc -l)" -gt 40 ] || { echo "too few pages in $1"; exit 1; }
dead=$(for page in $pages; do
  grep -o ']([^ )]*)' "$page" | sed 's/^](//; s/)$//; s/#.*//' | sort -u |
    while read -r target; do
      case $target in '' | *:*) continue ;; esac
      [ -e "${page%/*}/$target" ] || echo "$page: $target"
    done
done)
[ -z "$dead" ] || { echo "$dead"; exit 1; }
