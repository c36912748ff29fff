//! A caller's loader, its types forgotten, so that all else is compiled once.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use crate::codec::Format;
use crate::entry::Entry;
use crate::error::BoxError;
use crate::loads::{IntoLoaded, Loaded, Outcome};
use crate::value::Value;

/// Loads the values of these keys and answers them in the same order, `None`
/// for those that it has nothing to say of.
pub(super) type Job = Box<dyn FnOnce(Vec<String>) -> Loading + Send>;

type Loading = Pin<Box<dyn Future<Output = Result<Vec<Option<Loaded<Entry>>>, BoxError>> + Send>>;

/// An entry of the store for those who wait, `None` if it is no value of the
/// loader's type.
pub(super) type ReadAs = fn(&Entry, &Format) -> Option<Outcome>;

/// The loader of one key, which it knows by itself.
pub(super) fn of_one<L, E, F, Fut>(loader: F) -> Job
where
    L: IntoLoaded,
    E: Into<BoxError>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<L, E>> + Send + 'static,
{
    Box::new(|_| {
        Box::pin(async move {
            let value = loader().await.map_err(Into::into)?;
            Ok(vec![Some(entry(value))])
        })
    })
}

/// The loader of many keys.
pub(super) fn of_many<L, E, F, Fut>(loader: F) -> Job
where
    L: IntoLoaded,
    E: Into<BoxError>,
    F: FnOnce(Vec<String>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<HashMap<String, L>, E>> + Send + 'static,
{
    Box::new(|keys| {
        Box::pin(async move {
            let mut values = loader(keys.clone()).await.map_err(Into::into)?;
            Ok(keys.iter().map(|key| values.remove(key).map(entry)).collect())
        })
    })
}

pub(super) fn read_as<T: Value>(there: &Entry, format: &Format) -> Option<Outcome> {
    // In the task of a load a panic of the program's own code would be taken for its end.
    let read = || there.clone().read_arc::<T>(format).ok().map(Entry::shared);
    let decoded = catch_unwind(AssertUnwindSafe(read)).ok().flatten()?;
    Some(Outcome::Found { decoded, there: there.clone() })
}

fn entry<L: IntoLoaded>(loaded: L) -> Loaded<Entry> {
    loaded.into_loaded().map(|value| Entry::shared(Arc::new(value)))
}
