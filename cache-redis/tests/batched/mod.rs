//! An alias with batching, and many who use it.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Cache, Context, Format, Settings};

use crate::crowd::{MEMBERS, at_once};
use crate::own_server::OwnServer;
use crate::resp::Client;
use crate::servers::{self, Server, of_driver};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// More than a machine needs that has other things to do.
const DEADLINE: Duration = Duration::from_secs(10);

/// An alias with batching, and another program at its server.
pub(crate) struct Batched {
    pub(crate) cache: Cache,
    pub(crate) store: Arc<dyn AsyncCache>,
    pub(crate) settings: Settings,
    pub(crate) other: Client,
}

impl Batched {
    pub(crate) async fn of(driver: &str) -> Self {
        Self::with(driver, None, Format::default()).await
    }

    /// At this server, or at the one that all tests share.
    pub(crate) async fn with(driver: &str, server: Option<&OwnServer>, format: Format) -> Self {
        let way = format!("{driver}, batched");
        let settings = match server {
            Some(server) => of_driver(&way, &format!("{}?db=0", server.location())),
            None => Server::Plain.settings(&way),
        };
        let other = Client::alone_with(&settings).await;
        let mut context = Context::new("test");
        context.deadline = DEADLINE;
        context.max_value_bytes = format.max_value_bytes();
        let store = servers::open(&settings, &context);
        let builder = Cache::builder(Arc::clone(&store)).context(&context).deadline(DEADLINE);
        let cache = builder.format(format).build();
        cache.aping().await.expect("the server is there");
        Self { cache, store, settings, other }
    }
}

pub(crate) fn key(number: usize) -> String {
    format!("key-{number}")
}

/// Each of many writes so many keys, or reads them.
pub(crate) const EACH: usize = 16;
pub(crate) const ALL: usize = MEMBERS * EACH;

pub(crate) async fn write_all(cache: &Cache) {
    at_once(MEMBERS, |member| {
        let cache = cache.clone();
        async move {
            for number in member * EACH..(member + 1) * EACH {
                cache.aset(&key(number), &number, MINUTE).await.expect("it is taken");
            }
        }
    })
    .await;
}
