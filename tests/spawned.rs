//! Every call can be awaited in a task of its own, as in a handler of a web
//! framework.
#![cfg(feature = "mem")]

use std::collections::HashMap;

use cache_sdk::{Caches, Timeout};

#[tokio::test]
async fn bulk_calls_over_any_iterator_can_be_spawned() {
    let caches = Caches::builder().open().await.expect("memory needs no settings");
    let cache = caches.default().expect("it is there");
    let task = tokio::spawn(async move {
        let users: Vec<(u64, String)> = (0..5).map(|id| (id, format!("user {id}"))).collect();
        let items = users.iter().map(|(id, name)| (format!("user:{id}"), name));
        cache.set_many(items, Timeout::Default).await?;
        let names: HashMap<String, String> =
            cache.get_many(users.iter().map(|(id, _)| format!("user:{id}"))).await?;
        let keys: Vec<String> = names.keys().cloned().collect();
        let some =
            cache.get_many::<String, _>(keys.iter().map(String::as_str).filter(|key| key.len() > 3)).await?;
        let partial = cache.get_many_partial::<String, _>(keys.iter().map(|key| &key[..])).await?;
        let any = cache.get_many_any(keys.iter().map(|key| &key[..])).await?;
        let found = (names.len(), some.len(), partial.found.len(), any.len());
        cache.delete_many(keys.iter().map(|key| &key[..])).await?;
        Ok::<_, cache_sdk::Error>((found, cache.stats().entries))
    });
    let outcome = task.await.expect("no panic").expect("memory does it");
    assert_eq!(outcome, ((5, 5, 5, 5), Some(0)));
}
