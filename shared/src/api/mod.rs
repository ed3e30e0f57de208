//! What the API shows of what is stored, where the two differ.

mod block;
mod link;

pub use block::BlockView;
pub use link::LinkView;
