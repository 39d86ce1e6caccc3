#!/bin/sh
# Runs the tests against mutants of a module: copies of the code with one change each,
# made by cargo-mutants. A change that no test notices is code that nothing proves.
#
#     run.sh MODULE [K/N]   of this module in tests/mutants/modules, or of shard K of N
#     run.sh changed BASE SECONDS   of the lines changed since the commit BASE
#
# First the unit tests of the package, then for what they miss the end-to-end tests that
# belong to the module. Results are kept in target/mutants: a run that was interrupted
# goes on where it was. What nothing notices must be in tests/mutants/MODULE.txt with
# the reason; otherwise it is printed, and the exit code is 1.
set -eu
cd "$(dirname "$0")/../.."
out=target/mutants
mkdir -p "$out"

# One job at low priority, without debug information, which no mutant needs.
mutants() {
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$PWD/$out/build" nice -n "${NICE:-19}" \
    cargo mutants -j1 --colors never "$@"
}

# Names without line and column, which change with every edit.
names() { sed 's/^\([^:]*\):[0-9]*:[0-9]*: /\1: /' | sort -u; }

# A regular expression for each of these names, with any line and column.
patterns() { sed 's/[][\.*^$+?(){}|]/\\&/g; s/: /:[0-9]+:[0-9]+: /; s/.*/^&$/'; }

# missed DIRECTORY: what the last run there has not caught. A test that never ends has
# noticed the mutant.
missed() { cat "$1/mutants.out/missed.txt" 2>/dev/null || :; }

# The lines of a table of explained survivors that are names.
explained() { grep '^[^# ]' "tests/mutants/$1.txt" 2>/dev/null | sort -u || :; }

# By the exit code mutants are missed (2) or never end (3); anything else is an error.
tolerate() { [ "$1" = 0 ] || [ "$1" = 2 ] || [ "$1" = 3 ] || exit "$1"; }

changed() {
  git diff "$1" -- crates >"$out/changes"
  code=0
  timeout "$2" sh -c '"$@"' sh env CARGO_PROFILE_DEV_DEBUG=0 \
    CARGO_TARGET_DIR="$PWD/$out/build" cargo mutants -j1 --colors never \
    --in-diff "$out/changes" -o "$out/changed" -- --lib || code=$?
  [ "$code" != 124 ] || echo "after $2 s not all mutants were run" >&2
  [ "$code" = 124 ] || tolerate "$code"
  missed "$out/changed" | names >"$out/changed.missed"
  for table in tests/mutants/*.txt; do explained "$(basename "$table" .txt)"; done |
    sort -u >"$out/changed.explained"
  unexplained=$(comm -23 "$out/changed.missed" "$out/changed.explained")
}

module() {
  row=$(awk -v module="$1" '$1 == module' tests/mutants/modules)
  [ -n "$row" ] || { echo "no module $1 in tests/mutants/modules" >&2; exit 100; }
  # The words of the row; the patterns in it are for cargo-mutants.
  set -f
  # shellcheck disable=SC2086
  set -- $row "--" "${2:-1/1}"
  set +f
  name=$1 package=s6-tls-$2 files=$3
  shift 3
  tests=
  while [ "$1" != "--" ]; do tests="$tests $1"; shift; done
  shard=$(echo "$2" | awk -F/ '{ print $1 - 1 "/" $2 }')
  code=0
  mutants -p "$package" -f "$files" --shard "$shard" --iterate -o "$out/$name" \
    -- --lib || code=$?
  tolerate "$code"
  missed "$out/$name" | names >"$out/$name.missed"
  explained "$name" >"$out/$name.explained"
  comm -23 "$out/$name.missed" "$out/$name.explained" >"$out/$name.left"
  [ -s "$out/$name.left" ] || { unexplained=; return; }
  # For these, the programs are built and tested. Without a baseline: cargo-mutants would
  # look for the end-to-end tests in the package.
  set --
  while read -r pattern; do set -- "$@" --re "$pattern"; done <<PATTERNS
$(patterns <"$out/$name.left")
PATTERNS
  code=0
  # shellcheck disable=SC2086
  mutants -p "$package" -f "$files" "$@" --iterate -o "$out/$name-programs" \
    --baseline skip --timeout 600 --test-workspace true -- --test all -- $tests || code=$?
  tolerate "$code"
  unexplained=$(missed "$out/$name-programs" | names)
}

if [ "$1" = changed ]; then
  changed "$2" "$3"
else
  module "$@"
fi
[ -z "$unexplained" ] || {
  echo "no test notices these mutants, and no table in tests/mutants explains them:" >&2
  echo "$unexplained"
  exit 1
}
