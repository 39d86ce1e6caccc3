#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    dns::fuzzing::resolv_conf(input);
});
