#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tcp::proxy::fuzzing::proxy(input);
});
