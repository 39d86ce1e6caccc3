#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    s6_tls_core::fuzzing::crl::crl(input);
});
