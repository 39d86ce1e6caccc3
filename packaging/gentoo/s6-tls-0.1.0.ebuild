# Copyright 2026 the s6-tls authors
# Distributed under the ISC License
#
# Not built here: of this file only bash and shellcheck have been asked. The
# Manifest comes from `make dist`.

EAPI=8

DESCRIPTION="TLS and TCP programs of s6-networking, in Rust on rustls"
HOMEPAGE="https://s6-tls.example.org"
SRC_URI="https://s6-tls.example.org/${P}.tar.gz
	https://s6-tls.example.org/${P}-vendor.tar.gz"

# Ours, then those of the crates and of the C library in the programs.
LICENSE="ISC Apache-2.0 BSD CDLA-Permissive-2.0 MIT elibc_glibc? ( LGPL-2.1+ )"
SLOT="0"
KEYWORDS="~amd64 ~arm64"

# s6 has s6-applyuidgid.
RDEPEND="sys-apps/s6
	!net-misc/s6-networking"
DEPEND="elibc_glibc? ( sys-libs/glibc[static-libs(+)] )"
BDEPEND=">=virtual/rust-1.85
	test? ( dev-libs/openssl )"
IUSE="test"
RESTRICT="!test? ( test )"
# rustc has stripped them.
QA_PRESTRIPPED="usr/bin/.*"

src_compile() {
	emake TARGET=host
}

src_test() {
	emake package-test TARGET=host
}

src_install() {
	emake install TARGET=host DESTDIR="${D}" PREFIX="${EPREFIX}/usr" \
		DOCDIR="${EPREFIX}/usr/share/doc/${PF}"
	# Pages link to each other, and no reader finds a compressed file.
	docompress -x "/usr/share/doc/${PF}"
}
