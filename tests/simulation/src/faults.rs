//! What can go wrong around the functions, and how often.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Something that happens to one call, invocation or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// AWS says that it cannot do it now, and has not done it.
    RefusedCall,
    /// The connection to AWS breaks before anything was done.
    BrokenCall,
    /// It breaks after it was done.
    LostAnswer,
    /// AWS does not answer.
    HangingCall,
    /// AWS takes longer than a call waits.
    SlowCall,
    /// AWS leaves items of a batch undone.
    UndoneItems,
    /// A function is killed between two awaits.
    Kill,
    /// An environment is started although one is idle.
    ColdStart,
    /// An environment is not kept.
    Shutdown,
    /// Lambda takes a batch for failed whatever the function answered.
    LostOutcome,
    /// The same batch of the stream is delivered once more.
    RepeatedBatch,
}

impl Fault {
    pub(crate) const ALL: [Self; 11] = [
        Self::RefusedCall,
        Self::BrokenCall,
        Self::LostAnswer,
        Self::HangingCall,
        Self::SlowCall,
        Self::UndoneItems,
        Self::Kill,
        Self::ColdStart,
        Self::Shutdown,
        Self::LostOutcome,
        Self::RepeatedBatch,
    ];

    fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|one| *one == self)
            .expect("all are listed")
    }
}

/// How often each fault happens, of a thousand times that it could.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults([u32; Fault::ALL.len()]);

impl Faults {
    /// Some of the faults, rarely or often: one schedule has a few kinds of trouble, so that each
    /// goes far enough for the next one to matter.
    pub(crate) fn random(dice: &mut ChaCha8Rng) -> Self {
        Self(Fault::ALL.map(|_| {
            let rates = [0, 0, 0, 5, 20, 80];
            rates.choose(dice).copied().unwrap_or_default()
        }))
    }

    pub(crate) fn per_mille(&self, fault: Fault) -> u32 {
        self.0[fault.index()]
    }

    /// The same without one of them; `None` if it had none.
    pub(crate) fn without(&self, fault: Fault) -> Option<Self> {
        let mut fewer = self.clone();
        let rate = std::mem::take(&mut fewer.0[fault.index()]);
        (rate > 0).then_some(fewer)
    }

    /// Which happen at all.
    pub(crate) fn named(&self) -> Vec<(Fault, u32)> {
        let all = Fault::ALL
            .iter()
            .map(|fault| (*fault, self.per_mille(*fault)));
        all.filter(|(_, rate)| *rate > 0).collect()
    }
}

/// Whether something happens that does so this often, of a thousand times.
pub(crate) fn happens(dice: &mut ChaCha8Rng, per_mille: u32) -> bool {
    per_mille > 0 && dice.random_ratio(per_mille, 1_000)
}
