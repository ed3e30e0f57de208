//! The FIFO queue in front of `collect`: one message per task, one group per link, so that the work
//! of a link is serial and links do not wait for each other (docs/decisions/0003).

mod sqs;
mod task;

pub use self::{
    sqs::{DeadLetters, Queue, QueueError},
    task::{Continuation, Coverage, Delivery, Task, TaskError, TaskKind, Trigger},
};
