//! A service that follows all links, and is stopped in the middle of its work again and again.

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{Follower, Link, Stack};

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A task that follows until it is stopped.
pub struct Following {
    stop: oneshot::Sender<()>,
    task: JoinHandle<(Follower, u32)>,
}

/// Starts following these links.
#[must_use]
pub fn start(seed: u64, links: &[Link<'_>]) -> Following {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let (stop, mut stopped) = oneshot::channel();
    let mut follower = Follower::of(links);
    let task = tokio::spawn(async move {
        let stack = Stack::of_this_run().in_danger();
        let mut interrupted = 0;
        loop {
            let life = Duration::from_millis(dice.random_range(50..3_000));
            let look = async {
                let ended = timeout(life, follower.follow_all(&stack)).await;
                sleep(BETWEEN_LOOKS).await;
                ended
            };
            tokio::select! {
                _ = &mut stopped => return (follower, interrupted),
                ended = look => interrupted += u32::from(ended.is_err()),
            }
        }
    });
    Following { stop, task }
}

impl Following {
    /// Stops it, and says how often it was interrupted.
    pub async fn stop(self) -> (Follower, u32) {
        drop(self.stop);
        self.task.await.expect("following does not fail")
    }
}
