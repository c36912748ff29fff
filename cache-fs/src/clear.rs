//! `aclear`: what belongs to an alias, shard by shard.

use std::fs;
use std::path::Path;

use cache_core::{Result, has_prefix};

use crate::count::Snapshot;
use crate::error::failed;
use crate::files::Files;
use crate::locks::Wait;
use crate::look::is_of_key;
use crate::place::{PrefixId, SHARDS};
use crate::shard::shard_path;

/// One step of a clear: a shard that has to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) prefix: PrefixId,
    pub(crate) shard: usize,
    /// Other prefixes have entries there too, and only those of this one go.
    only: Option<String>,
}

impl Files {
    /// What a clear has to look at, of one prefix or all.
    pub(crate) fn steps(&self, prefix: Option<&str>) -> Result<Vec<Step>> {
        let steps = |prefix: PrefixId, only: Option<&str>| {
            let only = only.map(str::to_owned);
            (0..SHARDS).map(move |shard| Step { prefix, shard, only: only.clone() })
        };
        if let Some(prefix) = prefix {
            let (id, is_alone) = PrefixId::of_prefix(prefix);
            return Ok(steps(id, (!is_alone).then_some(prefix)).collect());
        }
        let prefixes = self.prefixes().map_err(|error| failed("listed", error))?;
        Ok(prefixes.into_iter().flat_map(|prefix| steps(prefix, None)).collect())
    }

    /// The prefixes that anybody has entries of here.
    pub(crate) fn prefixes(&self) -> std::io::Result<Vec<PrefixId>> {
        let mut prefixes = Vec::new();
        for entry in fs::read_dir(&self.location)? {
            prefixes.extend(entry?.file_name().to_str().and_then(PrefixId::from_name));
        }
        Ok(prefixes)
    }

    /// Removes what a step is about; says what is left. What cannot be removed
    /// keeps nothing else.
    pub(crate) fn clear(&self, step: &Step) -> Result<Snapshot> {
        let directory = shard_path(&step.prefix.path(&self.location), step.shard);
        let nothing = Snapshot::of_nothing();
        let Some(mut shard) = self.lock_if_there(&directory, Wait::Until(self.patience_from_now()))? else {
            return Ok(nothing);
        };
        let mut failed_first = Ok(());
        for entry in shard.list().map_err(|error| failed("listed", error))? {
            // A directory is no entry, whoever has put it there.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            let removed = step.covers(&path).and_then(|is_covered| {
                if is_covered {
                    shard.remove(&path).map_err(|error| failed("removed", error))
                } else {
                    Ok(false)
                }
            });
            failed_first = failed_first.and(removed.map(drop));
        }
        failed_first.map(|()| shard.snapshot())
    }
}

impl Step {
    fn covers(&self, path: &Path) -> Result<bool> {
        let Some(prefix) = &self.only else { return Ok(true) };
        is_of_key(path, |key| has_prefix(key, prefix)).map_err(|error| failed("read", error))
    }
}
