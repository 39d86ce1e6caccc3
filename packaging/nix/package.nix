# nix-build -E 'with import <nixpkgs> { }; callPackage ./packaging/nix/package.nix { }'
{ lib, stdenv, rustPlatform, openssl }:

rustPlatform.buildRustPackage {
  pname = "s6-tls";
  version = "0.1.0";

  # What make has built is no source.
  src = lib.cleanSourceWith {
    src = lib.cleanSource ../..;
    filter = path: type: !(type == "directory" && baseNameOf path == "target");
  };
  cargoLock.lockFile = ../../Cargo.lock;

  buildPhase = ''
    runHook preBuild
    make TARGET=host
    runHook postBuild
  '';

  # The programs are static; glibc keeps what that needs apart.
  buildInputs = lib.optional stdenv.hostPlatform.isGnu stdenv.cc.libc.static;

  nativeCheckInputs = [ openssl ];
  checkPhase = ''
    runHook preCheck
    make package-test TARGET=host
    runHook postCheck
  '';

  # In a store path of its own nothing is in the way: s6-applyuidgid as well.
  installPhase = ''
    runHook preInstall
    make install install-applyuidgid TARGET=host PREFIX=$out
    runHook postInstall
  '';

  meta = {
    description = "TLS and TCP programs of s6-networking, in Rust on rustls";
    homepage = "https://s6-tls.example.org";
    # Ours, then those of the crates and of the C library in the programs.
    license = with lib.licenses; [ isc asl20 bsd3 cdla-permissive-20 mit ]
      ++ lib.optional stdenv.hostPlatform.isGnu lgpl21Plus;
    platforms = lib.platforms.linux;
    mainProgram = "s6-tlsserver";
  };
}
