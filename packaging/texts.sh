#!/bin/sh
# Installs what programs have besides themselves: manual pages and what shells
# complete. With a suffix, all programs that are named in them have it, too.
# Usage: packaging/texts.sh install|remove PROGRAM...
# Reads DESTDIR, MANDIR, DOCDIR, BASHDIR, FISHDIR, ZSHDIR and PROGRAM_SUFFIX.
set -eu
cd "$(dirname "$0")/.."
action=$1
shift

# All programs as one regular expression: some hyphens of a page are escaped.
programs=$(printf '%s\n' doc/man/*.8 | sed 's,.*/,,; s/\.8$//; s/-/\\\\?-/g' | paste -s -d '|' -)

# text SOURCE TARGET [EXPRESSION]
text() {
  target=$DESTDIR$2
  if [ "$action" = install ]; then
    mkdir -p "${target%/*}"
    sed -E -e "s/($programs)(\$|[^a-z0-9\\\\-])/\\1$PROGRAM_SUFFIX\\2/g" -e "${3:-}" "$1" >"$target"
    chmod 0644 "$target"
  else
    rm -f "$target"
  fi
}

for program; do
  named=$program$PROGRAM_SUFFIX
  case $program in
    s6-tls) section=7 named=$program ;;
    *) section=8 ;;
  esac
  title=$(echo "$named" | tr '[:lower:]' '[:upper:]')
  text "doc/man/$program.$section" "$MANDIR/man$section/$named.$section" \
    "s/^\\.Dt .*/.Dt $title $section/; s,/usr/local/share/doc/s6-tls,$DOCDIR,"
  [ "$section" = 8 ] || continue
  text "completions/bash/$program" "$BASHDIR/$named"
  text "completions/fish/$program.fish" "$FISHDIR/$named.fish"
  text "completions/zsh/_$program" "$ZSHDIR/_$named"
done
