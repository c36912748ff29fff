//! `aclear`: what belongs to an alias, page by page.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Context, Result, Scope, has_prefix};
use futures::future::try_join_all;

use crate::command::{Arg, Command};
use crate::pool::Pool;
use crate::reply::Reply;

/// How many keys the server looks at in one step: it serves nobody meanwhile.
const COUNT: i64 = 1_000;

/// How often is said how far a long clear has come.
const TOLD_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn clear(pool: &Pool, scope: &Scope<'_>, context: &Context) -> Result<()> {
    let Some(prefix) = scope.prefix() else {
        return pool.slot(0).ask(&Command::flush(), Reply::done).await;
    };
    // A write that was dropped before now has its place before the clear.
    try_join_all((1..pool.len()).map(async |slot| pool.slot(slot).ask(&Command::ping(), Reply::done).await))
        .await?;

    let pattern = format!("{}:[0-9]*:*", escaped(prefix));
    let (mut cursor, mut removed) = (Bytes::from_static(b"0"), 0);
    let mut told = context.clock.now();
    loop {
        let (next, page) = pool.slot(0).ask(&Command::scan(cursor, &pattern, COUNT), Reply::page).await?;
        scope.step();
        removed += remove(pool, prefix, page).await?;
        scope.step();
        if next.as_ref() == b"0" {
            break;
        }
        cursor = next;
        let now = context.clock.now();
        if now.since(told) >= TOLD_EVERY {
            told = now;
            tracing::info!(target: "cache::redis", alias = &*context.alias, removed, "clearing");
        }
    }
    tracing::debug!(target: "cache::redis", alias = &*context.alias, removed, "cleared");
    Ok(())
}

/// Removes those of the page that are the alias's, each by the connection of
/// its key; answers how many were there.
async fn remove(pool: &Pool, prefix: &str, page: Vec<Bytes>) -> Result<i64> {
    let mut groups = vec![Vec::new(); pool.len()];
    for key in page {
        if has_prefix(&String::from_utf8_lossy(&key), prefix) {
            groups[pool.number_of_name(prefix, name_of(&key, prefix))].push(Arg::Value(key));
        }
    }
    let groups = groups.into_iter().enumerate().filter(|(_, keys)| !keys.is_empty());
    let removals =
        groups.map(async |(slot, keys)| pool.slot(slot).ask(&Command::unlink(keys), Reply::integer).await);
    Ok(try_join_all(removals).await?.into_iter().sum())
}

/// What stands behind `prefix:<digits>:`.
fn name_of<'k>(key: &'k [u8], prefix: &str) -> &'k [u8] {
    let behind = &key[prefix.len() + 1..];
    let colon = behind.iter().position(|byte| *byte == b':').unwrap_or(0);
    &behind[colon + 1..]
}

/// The prefix as a pattern that only it matches.
fn escaped(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
