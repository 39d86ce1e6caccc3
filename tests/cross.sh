# shellcheck shell=sh
# Sourced by scripts that build for other processors with Debian's cross compilers.

# cross PROCESSOR: what cargo must know to build for it; sets $target and $compiler.
cross() {
  case $1 in
    powerpc64le) compiler=powerpc64le-linux-gnu-gcc target=powerpc64le-unknown-linux-gnu ;;
    riscv64) compiler=riscv64-linux-gnu-gcc target=riscv64gc-unknown-linux-gnu ;;
    *) compiler=$1-linux-gnu-gcc target=$1-unknown-linux-gnu ;;
  esac
  small=$(echo "$target" | tr - _)
  large=$(echo "$small" | tr '[:lower:]' '[:upper:]')
  export "CC_$small=$compiler" "CARGO_TARGET_${large}_LINKER=$compiler"
  # Emulated, code that is not optimised takes five times as long.
  export CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0
}
