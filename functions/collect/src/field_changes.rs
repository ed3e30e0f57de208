//! Notices fields that Belvo's rows have never had, and fields that they no longer have: one log
//! line each, with the name and never a value. It looks at the first row of each page. A collection
//! neither fails nor waits for long because of it.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{FieldChanges, FieldNames, KnownFields, Resource, Timestamp};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    store::{FieldStore, StoreError, StoredFields},
    telemetry::{ALWAYS, Event},
};
use tokio::time::{Duration, Instant, timeout_at};

/// How long the calls to the store may take.
const TIME: Duration = Duration::from_secs(1);
/// How often it is tried to record fields while others record some.
const ATTEMPTS: usize = 3;

/// What is known of each resource, as this environment has last read or recorded it.
#[derive(Clone, Default)]
pub struct KnownByResource(Arc<Mutex<Vec<(Resource, StoredFields)>>>);

impl KnownByResource {
    /// Compares the fields of some rows with what is known, and records them, if that can be done
    /// before the deadline. Calls the store only if the rows show something that this environment
    /// does not know, or that it has not recorded today.
    pub(crate) async fn record(
        &self,
        store: &FieldStore,
        resource: Resource,
        names: &FieldNames,
        deadline: Instant,
    ) {
        if names.is_empty() {
            return;
        }
        let deadline = deadline.min(Instant::now() + TIME);
        let recorded = timeout_at(deadline, self.try_to_record(store, resource, names)).await;
        let cause = match recorded {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error).to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::warn!(
            event = Event::FieldsNotCompared.name(),
            resource = resource.name(),
            cause,
            "the fields of the rows were not compared with those of earlier ones"
        );
    }

    async fn try_to_record(
        &self,
        store: &FieldStore,
        resource: Resource,
        names: &FieldNames,
    ) -> Result<(), StoreError> {
        let today = Timestamp::now().day();
        let mut before = match self.cached(resource) {
            Some(stored) => Some(stored),
            None => store.of(resource).await?,
        };
        for _ in 0..ATTEMPTS {
            let nothing = KnownFields::default();
            let known = before.as_ref().map_or(&nothing, |stored| &stored.known);
            let (known, changes) = known.after(names, today);
            if before.as_ref().is_some_and(|stored| stored.known == known) {
                break;
            }
            // Before it is recorded: a change that is logged twice is better than one that is not.
            log(resource, &changes);
            if let Some(stored) = store.put(resource, known, before.as_ref()).await? {
                before = Some(stored);
                break;
            }
            // Another environment has recorded something meanwhile.
            before = store.of(resource).await?;
        }
        self.keep(resource, before);
        Ok(())
    }

    fn cached(&self, resource: Resource) -> Option<StoredFields> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = cache.iter().find(|(of, _)| *of == resource);
        of_it.map(|(_, stored)| stored.clone())
    }

    fn keep(&self, resource: Resource, stored: Option<StoredFields>) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|(of, _)| *of != resource);
        cache.extend(stored.map(|stored| (resource, stored)));
    }
}

fn log(resource: Resource, changes: &FieldChanges) {
    let new = changes.new.iter().map(|field| ("new", field));
    let gone = changes.gone.iter().map(|field| ("gone", field));
    for (change, field) in new.chain(gone) {
        tracing::warn!(
            target: ALWAYS,
            event = Event::FieldChanged.name(),
            resource = resource.name(),
            field,
            change,
            "Belvo's rows have other fields than before"
        );
    }
}
