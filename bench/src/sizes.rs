//! The bytes uploaded to Lambda: uncompressed, and compressed as in a zip file.

use std::{fs, io::Write, path::Path};

use flate2::{Compression, write::DeflateEncoder};
use serde::{Deserialize, Serialize};

use crate::program::{Maker, Programs};

/// The size of a function's package.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    pub(crate) program: String,
    /// `None` for a floor.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) maker: Option<Maker>,
    pub(crate) bytes: u64,
    pub(crate) zipped_bytes: u64,
}

/// Measures the packages that have been built.
pub(crate) fn measure(programs: &Programs, makers: &[Maker]) -> anyhow::Result<Vec<Size>> {
    let mut sizes = vec![size("no-op", None, &[&programs.binary("floor-noop")])?];
    for maker in makers {
        for function in ["request", "webhook", "collect", "query"] {
            let package = programs.package(*maker, function);
            if package.iter().all(|path| path.exists()) {
                let package: Vec<_> = package.iter().map(AsRef::as_ref).collect();
                sizes.push(size(function, Some(*maker), &package)?);
            }
        }
    }
    Ok(sizes)
}

fn size(program: &str, maker: Option<Maker>, paths: &[&Path]) -> anyhow::Result<Size> {
    let mut size = Size {
        program: program.to_owned(),
        maker,
        bytes: 0,
        zipped_bytes: 0,
    };
    for path in paths {
        add(&mut size, path)?;
    }
    Ok(size)
}

fn add(size: &mut Size, path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            add(size, &entry?.path())?;
        }
        return Ok(());
    }

    let content = fs::read(path)?;
    let mut zipped = DeflateEncoder::new(Vec::new(), Compression::best());
    zipped.write_all(&content)?;
    size.bytes += content.len() as u64;
    size.zipped_bytes += zipped.finish()?.len() as u64;
    Ok(())
}
