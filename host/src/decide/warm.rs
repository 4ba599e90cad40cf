//! An instance that is kept from one decision to the next.

use wasmtime::Store;

use super::{Answer, DecideError, Policy, contract::Instance, limits::Meter};
use crate::model::Snapshot;

/// After so many decisions an instance is replaced: policies need not free what they take, for they
/// live for one decision.
const ENOUGH: usize = 32;

/// An instance that is kept. Only for measuring what a fresh one costs: what a policy does to itself
/// reaches the next decision here, and no decision that counts is made so.
pub struct Warm<'p> {
    policy: &'p Policy,
    /// None only while one takes another's place.
    kept: Option<Kept>,
    decided: usize,
}

/// In the order in which they go.
struct Kept {
    instance: Box<dyn Instance>,
    store: Store<Meter>,
    #[cfg(feature = "pooling")]
    _room: Option<super::pool::Room>,
}

impl std::fmt::Debug for Warm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warm").field("policy", self.policy).finish_non_exhaustive()
    }
}

impl Policy {
    /// Makes an instance that is kept, for a few decisions at a time.
    ///
    /// # Errors
    ///
    /// What kept it from starting.
    pub fn warm(&self) -> Result<Warm<'_>, DecideError> {
        Ok(Warm { policy: self, kept: Some(self.kept()?), decided: 0 })
    }

    fn kept(&self) -> Result<Kept, DecideError> {
        #[cfg(feature = "pooling")]
        let room = self.engine.room();
        let mut store = self.store();
        let instance = self.within(&mut store, |store| self.contract.instance(store))?;
        Ok(Kept {
            instance,
            store,
            #[cfg(feature = "pooling")]
            _room: room,
        })
    }
}

impl Warm<'_> {
    /// Asks it, within the limits of one call.
    ///
    /// # Errors
    ///
    /// What kept it from answering.
    pub fn decide(&mut self, snapshot: &Snapshot) -> Result<Answer, DecideError> {
        if self.decided == ENOUGH {
            self.kept = None;
            self.decided = 0;
        }
        self.decided += 1;
        let kept = match &mut self.kept {
            Some(kept) => kept,
            // The room of the one before is given back by now.
            None => self.kept.insert(self.policy.kept()?),
        };
        let ask = kept.instance.decide(snapshot);
        let answer = self.policy.within(&mut kept.store, ask)?;
        self.policy.bounded(answer)
    }
}
