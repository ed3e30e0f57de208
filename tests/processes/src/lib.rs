//! The functions as processes, each behind a Lambda Runtime API of its own in this process: what
//! benchmarks measure and the load kills.

pub mod events;
mod function;
mod program;
mod resources;
mod runtime_api;
mod settings;
mod share;

pub use function::{Function, Invocation, Took};
pub use program::Program;
pub use settings::SETTINGS;
pub use share::{MEMORY_OF_A_CORE, Share};
