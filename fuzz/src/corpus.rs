//! The inputs that are kept of each target: one of each kind, at boundaries, and what was found.

use std::{fs, path::Path};

/// The inputs of a target by their files' names, sorted.
#[must_use]
pub fn inputs_of(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let files = fs::read_dir(folder.join(target)).expect("a folder of the target");
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.expect("a file");
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read(file.path()).expect("a readable file"))
        })
        .collect();
    inputs.sort();
    inputs
}
