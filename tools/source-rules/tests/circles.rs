//! What counts as a circle of imports, on packages of a few lines.

#![expect(
    clippy::unwrap_used,
    reason = "a source that is no Rust fails the test"
)]

use source_rules::{circles::circles, imports::imports, source::Source, workspace::Package};

fn package(files: &[(&str, &str)]) -> Package {
    let parse = |(path, text): &(&str, &str)| {
        Source::parse(&format!("p/src/{path}"), (*text).to_owned()).unwrap()
    };
    Package::new("p", files.iter().map(parse).collect())
}

/// The file names of each circle.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let circles = circles(&package(files));
    let short = |path: &String| path.trim_start_matches("p/src/").to_owned();
    circles
        .iter()
        .map(|circle| circle.modules.iter().map(short).collect())
        .collect()
}

#[test]
fn two_modules_that_import_each_other_are_a_circle() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B;\npub struct A(B);"),
        ("b.rs", "pub struct B;\nfn f(a: &super::a::A) {}"),
    ];
    assert_eq!(found(&files), [["a.rs", "b.rs"]]);
    let circle = circles(&package(&files)).remove(0).to_string();
    assert_eq!(
        circle,
        "circle of p/src/a.rs, p/src/b.rs
  p/src/a.rs:1 takes crate::b::B from p/src/b.rs
  p/src/b.rs:2 takes super::a::A from p/src/a.rs
"
    );
}

#[test]
fn three_modules_are_one_circle_and_what_leads_into_it_is_not_of_it() {
    let circles = found(&[
        ("main.rs", "mod a; mod b; mod c; mod d; use a::A;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c; pub struct B; fn f() { c::g() }"),
        ("c.rs", "use crate::a::A; use std::fmt; pub fn g() {}"),
        ("d.rs", "use crate::{a::A, c}; pub fn h() {}"),
    ]);
    assert_eq!(circles, [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn a_name_passed_on_by_the_parent_comes_from_the_child_that_has_it() {
    let files = [
        ("lib.rs", "mod store;"),
        (
            "store/mod.rs",
            "mod read; mod row; pub use row::Row; pub(crate) use read::*;",
        ),
        (
            "store/read.rs",
            "use super::Row; pub fn read() -> Row { Row }",
        ),
        ("store/row.rs", "pub struct Row;"),
    ];
    assert_eq!(found(&files), Vec::<Vec<String>>::new());
    let imports = imports(&package(&files));
    let edges: Vec<_> = imports.iter().map(|i| (&*i.from, &*i.to)).collect();
    assert_eq!(edges, [("p/src/store/read.rs", "p/src/store/row.rs")]);
}

#[test]
fn two_children_that_meet_through_the_parent_are_a_circle() {
    let circles = found(&[
        ("lib.rs", "mod store;"),
        (
            "store/mod.rs",
            "mod read; mod row; pub use row::Row; pub use read::*;",
        ),
        ("store/read.rs", "use super::Row; pub fn read() {}"),
        (
            "store/row.rs",
            "pub struct Row; fn f() { crate::store::read() }",
        ),
    ]);
    assert_eq!(circles, [["store/read.rs", "store/row.rs"]]);
}

#[test]
fn a_parent_is_made_of_its_children() {
    let circles = found(&[
        (
            "lib.rs",
            "mod a; use self::a::run; pub struct Context; fn main() { run() }",
        ),
        ("a.rs", "use crate::Context; pub fn run() {}"),
    ]);
    assert_eq!(circles, Vec::<Vec<String>>::new());
}

#[test]
fn what_only_tests_import_makes_no_circle() {
    let circles = found(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        (
            "b.rs",
            "pub struct B; #[cfg(test)] mod tests { use super::*; use crate::a::A; }",
        ),
    ]);
    assert_eq!(circles, Vec::<Vec<String>>::new());
}

#[test]
fn a_path_inside_a_macro_is_an_import() {
    let circles = found(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub fn a() { println!(\"{}\", crate::b::b()) }"),
        (
            "b.rs",
            "pub fn b() -> u8 { json!({ \"x\": [super::a::a()] }) }",
        ),
    ]);
    assert_eq!(circles, [["a.rs", "b.rs"]]);
}

#[test]
fn another_crate_of_the_same_name_is_no_module() {
    let circles = found(&[
        ("lib.rs", "mod a; mod url; pub use domain::Days;"),
        (
            "a.rs",
            "use url; use url::Url; use crate::Days; pub fn f() { url::parse() }",
        ),
        ("url.rs", "use crate::a::f;"),
    ]);
    assert_eq!(circles, Vec::<Vec<String>>::new());
}
