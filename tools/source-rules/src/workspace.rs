//! The packages of a workspace and their Rust files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{module_files, source::Source};

/// Folders that hold nothing written here, beside those with a leading dot.
const NOT_OURS: [&str; 2] = ["target", "node_modules"];

/// A package: a folder with a `Cargo.toml`.
pub struct Package {
    /// Its path below the root of the workspace.
    pub folder: String,
    /// Its files, by path.
    pub sources: Vec<Source>,
}

/// The packages below a root.
pub struct Workspace {
    /// By folder.
    pub packages: Vec<Package>,
}

impl Workspace {
    /// Reads every package below `root`; one at the root itself is not looked for.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut packages = Vec::new();
        find_packages(root, root, &mut packages)?;
        anyhow::ensure!(
            !packages.is_empty(),
            "no package below {}: name the root of the workspace with --root",
            root.display()
        );
        packages.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(Self { packages })
    }

    /// The files below a folder that not only tests compile.
    pub fn production(&self, folder: &str) -> impl Iterator<Item = &Source> {
        self.sources(folder).filter(|source| !source.only_tests)
    }

    /// All files below a folder.
    pub fn sources(&self, folder: &str) -> impl Iterator<Item = &Source> {
        let below = format!("{folder}/");
        let all = self.packages.iter().flat_map(|package| &package.sources);
        all.filter(move |source| source.path.starts_with(&below))
    }
}

impl Package {
    /// Of files that have been parsed.
    #[must_use]
    pub fn new(folder: &str, mut sources: Vec<Source>) -> Self {
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        module_files::mark_tests(folder, &mut sources);
        Self {
            folder: folder.to_owned(),
            sources,
        }
    }
}

fn find_packages(root: &Path, folder: &Path, packages: &mut Vec<Package>) -> anyhow::Result<()> {
    for child in children(folder)?.iter().filter(|child| is_ours(child)) {
        if is_package(child) {
            let mut sources = Vec::new();
            find_sources(root, child, &mut sources)?;
            packages.push(Package::new(&relative(root, child)?, sources));
        }
        find_packages(root, child, packages)?;
    }
    Ok(())
}

/// The files of one package: a folder that is a package itself is left to that.
fn find_sources(root: &Path, folder: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    for child in children(folder)? {
        if child.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&child).with_context(|| child.display().to_string())?;
            sources.push(Source::parse(&relative(root, &child)?, text)?);
        } else if is_ours(&child) && !is_package(&child) {
            find_sources(root, &child, sources)?;
        }
    }
    Ok(())
}

fn children(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    paths.collect()
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_dir() && !name.starts_with('.') && !NOT_OURS.contains(&name.as_ref())
}

fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").exists()
}

fn relative(root: &Path, path: &Path) -> anyhow::Result<String> {
    Ok(path.strip_prefix(root)?.display().to_string())
}
