//! The store with entries in it, as a configuration opens it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use cache_core::{Cache, Context, Layering, Opened, Timeout};
use cache_fs::{FsSettings, FsStore};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::Options;

pub const SMALL: usize = 100;

/// How many keys a bulk call has.
pub const BULK: usize = 100;

/// A directory that is removed at the end.
pub fn directory(options: &Options) -> Result<TempDir> {
    Ok(match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    })
}

pub async fn open(directory: &Path) -> Result<Cache> {
    let context = Context::new("bench");
    let mut settings = FsSettings::default();
    settings.max_entries = u64::MAX;
    let store = FsStore::open(directory, &settings, &context).await?;
    let opened = Opened::Remote { leader: Arc::new(store), replicas: Vec::new() };
    Ok(Cache::builder(opened.layered(&Layering::new(), &context)).context(&context).build())
}

pub fn name(number: usize) -> String {
    format!("key-{number:08}")
}

pub fn value() -> bytes::Bytes {
    bytes::Bytes::from(vec![b'x'; SMALL])
}

/// Writes so many entries, by several tasks at once.
pub async fn fill(cache: &Cache, count: usize) -> Result<()> {
    const TASKS: usize = 8;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let cache = cache.clone();
        tasks.spawn(async move {
            let numbers: Vec<_> = (0..count).skip(task).step_by(TASKS).collect();
            for part in numbers.chunks(BULK) {
                let names: Vec<_> = part.iter().map(|number| name(*number)).collect();
                let value = value();
                let items = names.iter().map(|name| (name.as_str(), &value));
                cache.set_many(items, Timeout::Forever).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome??;
    }
    Ok(())
}
