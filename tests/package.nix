# Evaluates all of packaging/nix/package.nix with a stand-in for nixpkgs, to its version.
import ../packaging/nix/package.nix {
  lib = {
    cleanSource = source: source;
    cleanSourceWith = { src, filter }:
      assert !(filter "/s6-tls/target" "directory");
      assert filter "/s6-tls/src" "directory" && filter "/s6-tls/Makefile" "regular";
      src;
    optional = condition: package: if condition then [ package ] else [ ];
    licenses = {
      isc = "ISC";
      asl20 = "Apache-2.0";
      bsd3 = "BSD-3-Clause";
      cdla-permissive-20 = "CDLA-Permissive-2.0";
      mit = "MIT";
      lgpl21Plus = "LGPL-2.1-or-later";
    };
    platforms.linux = [ "x86_64-linux" ];
  };
  stdenv = {
    hostPlatform.isGnu = true;
    cc.libc.static = "static";
  };
  rustPlatform.buildRustPackage = package: builtins.deepSeq package package.version;
  openssl = "openssl";
}
