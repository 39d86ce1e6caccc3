#!/bin/bash
# Tests run on engines in which AddressSanitizer, or else valgrind, looks for invalid
# use of memory: tests/sanitize.sh TARGET_DIRECTORY TARGET. Fails if a test fails, or if
# there is a report. The engines are on the system's allocator, which both tools know.
# TOOL=valgrind takes valgrind in any case.
# bash and not sh: not every sh passes on variables with names such as KEYFILE:a.test.
set -euo pipefail
target_directory=$1 target=$2
host=$(rustc -vV | sed -n 's/^host: //p')

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/reports"
# Engines write there after setuid, too.
chmod 711 "$dir" && chmod 1777 "$dir/reports"

has_asan() {
  case $host in *-linux-gnu) ;; *) return 1 ;; esac
  set -- "$(rustc --print sysroot)/lib/rustlib/$host/lib"/librustc-*_rt.asan.a
  [ -e "$1" ]
}

flags="--cfg system_allocator -C target-feature=-crt-static"
if [ "${TOOL:-asan}" = asan ] && has_asan; then
  tool=AddressSanitizer
  # The option is not stable: this variable has the installed compiler take it.
  export RUSTC_BOOTSTRAP=1
  flags="$flags -Zsanitizer=address"
  # Engines leave by _exit, so leaks are not looked for; the suites of rustls are leaked
  # on purpose. Locals have to be on the stack, where unix::memory::trim looks for it.
  options=detect_leaks=0:detect_stack_use_after_return=0:exitcode=86
  run="ASAN_OPTIONS=$options:log_path=$dir/reports/report exec"
elif command -v valgrind >/dev/null; then
  tool=valgrind
  # Invalid accesses only: it takes values from the assembly of AES-GCM in ring for uninitialised.
  run="exec valgrind -q --undef-value-errors=no --error-exitcode=86"
  run="$run --log-file=$dir/reports/report.%p"
else
  echo "SKIPPED: neither AddressSanitizer for $host nor valgrind" >&2
  [ "${CI:-}" != true ]
  exit
fi

echo "Engines with $tool"
RUSTFLAGS=$flags CARGO_PROFILE_DEV_DEBUG=line-tables-only \
  cargo build --locked --target "$host" --target-dir "$target_directory/sanitize" \
  --bin s6-tlsd-io --bin s6-tlsc-io

# The engines are scripts, all other programs those of `make test`. The sandbox is off:
# it denies system calls that the tools make.
for source in src/bin/*.rs; do
  program=$(basename "$source" .rs)
  case $program in
    *-io)
      built=$target_directory/sanitize/$host/debug/$program
      printf '#!/bin/bash\n%s %s --no-sandbox "$@"\n' "$run" "$built" >"$dir/bin/$program"
      chmod 755 "$dir/bin/$program"
      ;;
    *) ln -s "$target_directory/$target/debug/$program" "$dir/bin" ;;
  esac
done

reports() { find "$dir/reports" -type f -size +0; }

# A read of freed memory is reported.
source='fn main() {
    let block = Box::into_raw(Box::new(1u8));
    unsafe { drop(Box::from_raw(block)); std::process::exit(block.read_volatile().into()); }
}'
# shellcheck disable=SC2086
rustc --target "$host" $flags -o "$dir/faulty" - <<<"$source"
(eval "$run $dir/faulty") || :
[ -n "$(reports)" ] || { echo "$tool reports nothing" >&2; exit 1; }
find "$dir/reports" -type f -delete
unset RUSTC_BOOTSTRAP

tests=(
  alpn:: any_client_cert:: client_certificates:: crl:: early_data:: engine_handshake::
  engine_launchers:: engine_sni:: engine_tunnel:: guard_tls12:: key_guard:: key_kinds::
  peer_info:: pins:: refusals:: renewal:: snidir:: staple:: tickets:: trust_anchors::
)
# They look at the sandbox.
skip=(
  key_guard::guard_has_one_socket_and_standard_error_and_is_sandboxed
  key_guard::guard_has_no_directory_after_the_name_is_known
)
# They look for the key in the whole memory, of which AddressSanitizer reserves terabytes.
skip+=(
  key_guard::engine_has_no_key_after_the_handshake_and_the_guard_is_gone
  key_guard::engine_with_a_guard_never_has_the_key
)
# They count the calls that ask the system for random bytes, which differ.
skip+=(
  refusals::random_bytes_that_run_out_are_a_failure_of_the_system_on_both_sides
  refusals::server_without_random_bytes_reports_and_alerts
)
# Modules whose names end with one of those above.
skip+=(fail2ban::)
if [ $tool = valgrind ]; then
  # An engine takes a second to start. The tests of the guard look for a process with the
  # name of an engine; guard_tls12 uses the guard, too.
  tests=(client_certificates:: guard_tls12:: snidir:: tickets::)
  # Debian's valgrind is a script for sh, which drops variables such as KEYFILE:a.test.
  skip+=(snidir::variables_come_first_and_the_default_pair_last)
fi

code=0
UNDER_TEST="$dir/bin" cargo test --workspace --locked --target "$target" --test all -- \
  "${tests[@]}" "${skip[@]/#/--skip=}" || code=$?
for report in $(reports); do
  head -n 40 "$report" >&2
  code=1
done
exit $code
