//! What the API shows of what is stored, where the two differ.

mod block;
mod link;

pub use self::{block::BlockView, link::LinkView};
