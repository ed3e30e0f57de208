//! Notices fields that Belvo's rows have never had, and fields that they no longer have: one log
//! line each, with the name and never a value. It looks at the first row of each page, and nothing
//! that goes wrong here affects a collection.

use std::sync::Arc;

use domain::{Drift, FieldNames, KnownFields, Resource, Timestamp};
use lambda_runtime::tracing;
use shared::{
    cause::chain,
    store::{FieldStore, StoreError, StoredFields},
    telemetry::{ALWAYS, Event},
};
use tokio::sync::Mutex;

/// How often what others have recorded meanwhile is read again.
const RACES: usize = 3;

/// What is known of each resource, as this environment has last read or recorded it.
#[derive(Clone, Default)]
pub struct KnownByResource(Arc<Mutex<Vec<(Resource, StoredFields)>>>);

impl KnownByResource {
    /// Compares the fields of some rows with what is known, and records them. Calls the store only
    /// if the rows show something that this environment does not know, or that was not recorded
    /// today.
    pub(crate) async fn saw(&self, store: &FieldStore, resource: Resource, names: &FieldNames) {
        if names.is_empty() {
            return;
        }
        let mut cache = self.0.lock().await;
        let mut before = take(&mut cache, resource);
        for _ in 0..RACES {
            match record(store, resource, names, before.take()).await {
                Ok(Recorded::Now(stored, drift)) => {
                    log(resource, &drift);
                    cache.push((resource, stored));
                    return;
                }
                Ok(Recorded::ByAnother) => {}
                Err(error) => {
                    tracing::warn!(
                        event = Event::FieldsNotCompared.name(),
                        resource = resource.name(),
                        cause = %chain(&error),
                        "the fields of the rows were not compared with those of earlier ones"
                    );
                    return;
                }
            }
        }
    }
}

enum Recorded {
    /// Or known before.
    Now(StoredFields, Drift),
    ByAnother,
}

async fn record(
    store: &FieldStore,
    resource: Resource,
    names: &FieldNames,
    cached: Option<StoredFields>,
) -> Result<Recorded, StoreError> {
    let today = Timestamp::now().day();
    let before = match cached {
        Some(stored) => Some(stored),
        None => store.of(resource).await?,
    };
    let (known, drift) = match &before {
        Some(stored) => stored.known.after(names, today),
        None => (KnownFields::first(names, today), Drift::default()),
    };
    if let Some(stored) = before.as_ref().filter(|stored| stored.known == known) {
        return Ok(Recorded::Now(stored.clone(), drift));
    }
    let stored = store.put(resource, known, before.as_ref()).await?;
    Ok(stored.map_or(Recorded::ByAnother, |stored| Recorded::Now(stored, drift)))
}

fn take(cache: &mut Vec<(Resource, StoredFields)>, resource: Resource) -> Option<StoredFields> {
    let at = cache.iter().position(|(of, _)| *of == resource)?;
    Some(cache.swap_remove(at).1)
}

fn log(resource: Resource, drift: &Drift) {
    let new = drift.new.iter().map(|field| ("new", field));
    let gone = drift.gone.iter().map(|field| ("gone", field));
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
