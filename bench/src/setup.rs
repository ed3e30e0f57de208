//! What every measurement starts from.

use crate::{
    program::{Maker, Programs},
    world::World,
};

/// The functions of these makers, and the servers around them.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) makers: &'a [Maker],
    pub(crate) world: &'a World,
}
