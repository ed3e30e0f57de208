//! What the API shows, where it differs from what is stored.

mod block;
mod link;
mod place;

pub use self::{
    block::BlockView,
    link::{LinkStateView, LinkView},
    place::ChangesPlace,
};
