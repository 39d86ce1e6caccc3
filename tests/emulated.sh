#!/bin/sh
# Runs on other processors, which qemu-user emulates: the unit tests, and those
# end-to-end tests that show most. Their harness is native, and so are the peers;
# our programs run in the emulator. $1: the native target, for which the harness is
# built already; the other arguments: the processors.
set -eu
cd "$(dirname "$0")/.."
. tests/cross.sh
native=$1
shift
[ $# -gt 0 ] || set -- s390x aarch64 powerpc64le riscv64

# What only the emulator cannot do, of the unit tests; whole names. A child that shares
# our memory gets a copy of it, so its error does not arrive. A program cannot start
# itself: the kernel does not know the file. The emulator has real-time signals of its own.
units='
  --skip spawn::mask::tests::all_signals_are_blocked_that_can_be
  --skip spawn::mask::tests::parent_and_child_keep_signals_that_the_c_library_reserves
  --skip spawn::vfork::tests::child_uses_less_than_a_quarter_of_its_stack
  --skip event_loop::tests::a_panic_inside_the_sandbox_is_a_line_the_log_line_and_an_exit_code'
# Those that make thousands of connections take a minute each.
units="$units
  --skip fuzzing::tests::pump
  --skip pump::tests::arrival::data_arrive_in_any_order_of_events"

# Handshakes, 20 MB both ways, choice of the certificate, key guard, tickets, PROXY,
# DNS, rules (directory and cdb). Left out are the tests of the sandbox, of which the
# emulator knows nothing, and of memory, which is the emulator's.
peers='
  engine_handshake:: engine_sni:: engine_tunnel:: snidir:: key_kinds:: guard_tls12::
  key_guard::
  tickets:: client_certificates:: proxy:: dns:: access:: ident:: tcpserverd::program_gets'
# The emulator answers in more than the second that the first test allows, makes too
# few connections while the second one renews, and has no openat2(2), which keeps
# links inside and is where the next one stops the guard. Two look for a filter of system
# calls. The last two count descriptors, of which the emulator needs some.
peers="$peers
  --skip dns::every_kind_of_answer_is_understood
  --skip snidir::certbot_renewal_under_load_breaks_no_connection
  --skip snidir::links_in_the_directory_itself_stay_inside
  --skip key_guard::guard_on_a_hanging_file_system_ends_with_the_engine
  --skip key_guard::guard_has_one_socket_and_standard_error_and_is_sandboxed
  --skip key_guard::guard_has_no_directory_after_the_name_is_known
  --skip key_guard::guard_without_sandbox_still_closes_what_it_inherited
  --skip dns::a_lookup_without_descriptors_says_so"

# Before `cross` changes how cargo builds.
harness=$(cargo test --workspace --locked --target "$native" --test all --no-run \
  --message-format json | sed -n 's|.*"executable":"\([^"]*/all-[^"]*\)".*|\1|p' | tail -n 1)
dir=$(mktemp -d)
# Tests become other users.
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
failed=

# emulate PROCESSOR: its tests.
emulate() {
  cross "$1"
  case $1 in
    powerpc64le) emulator=qemu-ppc64le ;;
    *) emulator=qemu-$1 ;;
  esac
  for tool in "$emulator" "$compiler"; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: $1: no $tool"; return; }
  done
  timeout 60 rustup target add "$target" >/dev/null 2>&1 ||
    { echo "SKIPPED: no target $target"; return; }
  export "CARGO_TARGET_${large}_RUNNER=$emulator"
  all="--workspace --exclude s6-tls-bench --exclude s6-tls-tables --locked --target $target"
  from=$(date +%s)
  # Word splitting of lists of options.
  # shellcheck disable=SC2086
  {
    cargo build $all
    cargo test $all --exclude s6-tls --no-fail-fast --lib -- --exact $units || failed="$failed $1"
    told "$1: unit tests"
    programs "$1"
    UNDER_TEST=$dir/$1 "$harness" $peers || failed="$failed $1"
    told "$1: programs beside their peers"
  }
}

# programs PROCESSOR: a directory of programs that run its programs in the emulator.
programs() {
  mkdir "$dir/$1" "$dir/$1/emulators"
  real=$(cargo metadata --format-version 1 --no-deps --offline |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/$target/debug
  cc -O1 -shared -fPIC -o "$dir/alone.so" tests/emulated/alone.c
  cc -O1 -DALONE="\"$dir/alone.so\"" -DPROGRAMS="\"$real\"" \
    -DEMULATORS="\"$dir/$1/emulators\"" \
    -o "$dir/program" tests/emulated/program.c
  for program in "$real"/s6-* "$real/proxy-server"; do
    if [ -f "$program" ] && [ -x "$program" ]; then
      cp "$dir/program" "$dir/$1/${program##*/}"
      ln -s "$(command -v "$emulator")" "$dir/$1/emulators/${program##*/}"
    fi
  done
}

told() {
  echo "$1: $(($(date +%s) - from)) s so far"
}

for processor; do
  emulate "$processor"
done
[ -z "$failed" ] || { echo "FAILED:$failed" >&2; exit 1; }
