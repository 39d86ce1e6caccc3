#!/bin/sh
# Runs fuzz targets one after another: fuzz/run.sh TARGET_DIRECTORY SECONDS [TARGET...]
# Fails if one finds a defect. All are tried.
set -eu
directory=$1/fuzz seconds=$2
shift 2
root=$(dirname "$0")/..

if ! command -v cargo-fuzz >/dev/null; then
  echo "SKIPPED: no cargo-fuzz" >&2
  [ "${CI:-}" != true ]
  exit
fi
# The sanitizer's option is not stable: this variable has the installed compiler take it.
if rustc +nightly -V >/dev/null 2>&1; then nightly=+nightly; else
  nightly=
  export RUSTC_BOOTSTRAP=1
fi
fuzz() { (cd "$root" && cargo $nightly fuzz "$@"); }

[ $# != 0 ] || set -- $(fuzz list)
failed=
for target; do
  mkdir -p "$directory/corpora/$target" "$directory/artifacts/$target"
  echo "Fuzzing $target for $seconds seconds"
  if fuzz run -O --target-dir "$directory" "$target" \
    "$directory/corpora/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -artifact_prefix="$directory/artifacts/$target/" \
    -max_len=16384 -timeout=30 -print_final_stats=1 -verbosity=0 2>"$directory/$target.log"
  then
    sed -n 's/^stat::number_of_executed_units: */executions: /p' "$directory/$target.log"
  else
    tail -n 40 "$directory/$target.log" >&2
    failed="$failed $target"
  fi
done
[ -z "$failed" ] || { echo "See $directory/artifacts:$failed" >&2; exit 1; }
