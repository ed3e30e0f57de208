//! Which file a `mod` declaration means, and which files only tests compile. `#[path]` is not
//! understood: nothing here uses it.

use crate::source::Source;

/// Folders of a package that only tests, measurements and examples compile.
const ONLY_TESTS: [&str; 3] = ["tests", "benches", "examples"];

/// Whether a crate begins with this file.
pub(crate) fn is_root(package: &str, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let inside = folder.strip_prefix(package).unwrap_or(folder);
    let inside = inside.trim_start_matches('/');
    matches!(name, "lib.rs" | "main.rs" | "build.rs")
        || inside == "src/bin"
        || ONLY_TESTS.contains(&inside)
}

/// Where the files of the modules are that a file declares.
pub(crate) fn folder_of_children(package: &str, path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if is_root(package, path) || name == "mod.rs" {
        folder.to_owned()
    } else {
        path.trim_end_matches(".rs").to_owned()
    }
}

/// The index of the file that holds a module which was declared without a body.
pub(crate) fn file_of(sources: &[Source], folder: &str, module: &str) -> Option<usize> {
    let beside = format!("{folder}/{module}.rs");
    let inside = format!("{folder}/{module}/mod.rs");
    sources
        .iter()
        .position(|source| source.path == beside || source.path == inside)
}

/// Marks what only tests compile: whole folders, and what is declared under `#[cfg(test)]`.
pub(crate) fn mark_tests(package: &str, sources: &mut [Source]) {
    let folders = ONLY_TESTS.iter();
    let mut starts: Vec<_> = folders
        .map(|folder| format!("{package}/{folder}/"))
        .collect();
    for source in &*sources {
        let folder = folder_of_children(package, &source.path);
        for module in &source.cut.modules {
            let module = format!("{folder}/{}", module.join("/"));
            starts.extend([format!("{module}.rs"), format!("{module}/")]);
        }
    }
    for source in sources {
        source.only_tests = starts.iter().any(|start| source.path.starts_with(start));
    }
}

#[cfg(test)]
mod tests {
    use crate::{source::Source, workspace::Package};

    #[test]
    fn the_file_of_a_module_declared_for_tests_is_test_code() {
        let file = |path: &str, text: &str| Source::parse(path, text.to_owned()).unwrap();
        let package = Package::new(
            "tool",
            vec![
                file("tool/src/main.rs", "#[cfg(test)] mod budget; mod budgets;"),
                file("tool/src/budget.rs", ""),
                file("tool/src/budget/bounds.rs", ""),
                file("tool/src/budgets.rs", ""),
                file("tool/tests/whole.rs", ""),
            ],
        );
        let only_tests = package.sources.iter().filter(|source| source.only_tests);
        let paths: Vec<_> = only_tests.map(|source| source.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "tool/src/budget.rs",
                "tool/src/budget/bounds.rs",
                "tool/tests/whole.rs"
            ]
        );
    }
}
