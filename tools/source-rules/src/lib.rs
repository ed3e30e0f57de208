//! Measures the shape of this workspace's Rust code, and finds where it breaks the rules that
//! `tests/rules.rs` states: modules that import each other in a circle, long functions and lines,
//! a wide public surface. It reads sources; it compiles nothing.

pub mod circles;
mod figures;
pub mod imports;
mod mentions;
mod module;
mod module_files;
mod modules;
pub mod report;
mod resolution;
pub mod rules;
mod shape;
pub mod source;
mod table;
mod test_code;
mod uses;
pub mod workspace;
