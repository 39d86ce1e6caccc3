use std::collections::BTreeSet;

use super::rewrite;
use crate::edit::Rendered;
use crate::mutant::{Genre, Mutant};

/// The text with mutants 1, 2 and so on, which begin in these lines and columns, and those
/// without a statement, from 100 on. `on(N)` is the switch of N.
fn rewritten(source: &str, mutants: &[(Genre, usize, usize, &str)]) -> (String, Vec<u32>) {
    let mutants = mutants
        .iter()
        .map(|(genre, line, column, replacement)| Mutant {
            name: String::new(),
            file: String::new(),
            genre: *genre,
            start: (*line, *column),
            end: (*line, *column),
            replacement: (*replacement).to_owned(),
        });
    let mutants: Vec<Mutant> = mutants.collect();
    let none = BTreeSet::new();
    let result = rewrite("f.rs", source, (1..).zip(&mutants), 100, &none).unwrap();
    let text = Rendered::new(source, &result.edits).text;
    (text.replace("::mutant_switch::", ""), result.constant)
}

#[track_caller]
fn becomes(source: &str, mutants: &[(Genre, usize, usize, &str)], expected: &str) {
    assert_eq!(rewritten(source, mutants), (expected.to_owned(), vec![]));
}

#[test]
fn body_returns_what_its_mutants_return() {
    becomes(
        "fn f() -> u8 { g() }",
        &[(Genre::Body, 1, 16, "0"), (Genre::Body, 1, 16, "1")],
        "fn f() -> u8 { if on(1) { return 0; } if on(2) { return 1; } g() }",
    );
}

#[test]
fn operands_are_there_once() {
    becomes(
        "fn f() { a && b + c }",
        &[(Genre::Binary, 1, 12, "||"), (Genre::Binary, 1, 17, "-")],
        "fn f() { ({ let __left: bool = a; if __left != (on(1)) { \
         (match ((b), (c)) { (__left, __right) => \
         if on(2) { __left - __right } else { __left + __right } }) } else { __left } }) }",
    );
    becomes(
        "fn f() { a < b }",
        &[(Genre::Binary, 1, 12, "<=")],
        "fn f() { (match (&(a), &(b)) { (__left, __right) => \
         if on(1) { *__left <= *__right } else { *__left < *__right } }) }",
    );
}

#[test]
fn assignment_repeats_its_place() {
    becomes(
        "fn f() { a[i + 1] += b; }",
        &[(Genre::Binary, 1, 19, "-=")],
        "fn f() { (match (b) { __right => \
         if on(1) { a[i + 1] -= __right } else { a[i + 1] += __right } }); }",
    );
}

#[test]
fn guards_and_arms_and_operators_nest() {
    becomes(
        "fn f() { match a { 1 if !b => 2, 3 => 4, _ => 5 } }",
        &[
            (Genre::Guard, 1, 25, "true"),
            (Genre::Guard, 1, 25, "false"),
            (Genre::Unary, 1, 25, ""),
            (Genre::Arm, 1, 34, ""),
        ],
        "fn f() { match a { 1 if (on(1) || !(on(2)) && (\
         (match (b) { __value => if on(3) { __value } else { !__value } }))) => 2, \
         3 if !on(4) => 4, _ => 5 } }",
    );
}

#[test]
fn field_may_come_from_the_base() {
    becomes(
        "fn f() { S { a: 1, ..b() } }",
        &[(Genre::Field, 1, 14, "")],
        "fn f() { S { a: if on(1) { (S { ..b() }).a } else { 1 }, ..b() } }",
    );
}

#[test]
fn statement_with_an_effect_may_be_left_out() {
    becomes(
        "fn f() { a(); b = c()?; d.e()?; let g = h(); i!(); #[cfg(x)] j(); }",
        &[],
        "fn f() { if !on(100) { a(); } if !on(101) { b = c()?; } if !on(102) { d.e()?; } \
         let g = h(); i!(); #[cfg(x)] j(); }",
    );
    let for_tests = "#[cfg(test)] mod tests { fn f() { a(); } }";
    becomes(for_tests, &[], for_tests);
}

#[test]
fn what_is_constant_stays() {
    for source in [
        "const A: u8 = 1 + 2;",
        "const fn f() { 1 + 2; }",
        "fn f() { [0; 1 + 2]; }",
    ] {
        let column = source.find('+').unwrap() + 1;
        let mutant = (Genre::Binary, 1, column, "-");
        assert_eq!(rewritten(source, &[mutant]), (source.to_owned(), vec![1]));
    }
    let source = "fn f() -> impl Iterator<Item = u8> { g() }";
    let mutant = (Genre::Body, 1, 38, "std::iter::empty()");
    assert_eq!(rewritten(source, &[mutant]), (source.to_owned(), vec![1]));
}

#[test]
fn error_is_blamed_on_the_mutant_whose_code_it_is_in() {
    let source = "fn f() -> u8 { a + b }";
    let mutant = |replacement: &str| Mutant {
        name: String::new(),
        file: String::new(),
        genre: Genre::Binary,
        start: (1, 18),
        end: (1, 19),
        replacement: replacement.to_owned(),
    };
    let mutants = [mutant("-"), mutant("*")];
    let none = BTreeSet::new();
    let result = rewrite("f.rs", source, (1..).zip(&mutants), 100, &none).unwrap();
    let rendered = Rendered::new(source, &result.edits);
    let at = |text: &str| {
        let start = rendered.text.find(text).unwrap();
        rendered.blamed(&(start..start + text.len()))
    };
    assert_eq!(at("__left * __right"), [2]);
    assert_eq!(at("__left + __right"), [1, 2]);
    assert_eq!(at("fn f"), [0; 0]);
}
