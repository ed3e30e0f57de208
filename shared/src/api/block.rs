//! A block, and what a person can do about it.

use domain::Block;
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockView {
    #[serde(flatten)]
    block: Block,
    remedy: &'static str,
}

impl From<Block> for BlockView {
    fn from(block: Block) -> Self {
        Self {
            block,
            remedy: block.reason.remedy(),
        }
    }
}
