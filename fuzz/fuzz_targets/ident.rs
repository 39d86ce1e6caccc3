#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    tcp::ident::fuzzing::ident(input);
});
