//! What becomes of the order of a key's writes once a deadline has passed. None
//! is promised; how often the older write wins is measured and printed, for
//! what `docs/redis.md` says of it.
#![allow(clippy::print_stdout, reason = "`--nocapture` shows the numbers")]

#[macro_use]
mod each_driver;
mod own_server;
mod patience;
mod scale;
mod servers;

use std::time::Duration;

use cache_core::Timeout;

use crate::own_server::OwnServer;
use crate::patience::pause;
use crate::scale::scaled;

with_each_driver_and_batching!(a_write_that_was_given_up_may_win);

const DEADLINE: Duration = Duration::from_millis(50);

async fn a_write_that_was_given_up_may_win(driver: &str) {
    let server = OwnServer::start(&[]).await;
    let cache = own_server::cache(&own_server::settings(driver, &server.location(), &[]), DEADLINE);
    cache.aset("warm", &0, Timeout::Forever).await.expect("the server is there");
    let (rounds, mut given_up, mut older_wins) = (scaled(3), 0, 0);
    for round in 0..rounds {
        let key = format!("key {round}");
        server.freeze();
        given_up += usize::from(cache.aset(&key, "older", Timeout::Forever).await.is_err());
        server.thaw();
        while cache.aset(&key, "newer", Timeout::Forever).await.is_err() {}
        pause(Duration::from_millis(20)).await;
        let found = cache.aget::<String>(&key).await.expect("the server is there");
        match found.as_deref() {
            Some("older") => older_wins += 1,
            found => assert_eq!(found, Some("newer"), "{driver}: what was acknowledged is gone"),
        }
    }
    println!("{driver}: of {given_up} writes that were given up, {older_wins} won over a later one");
    assert_eq!(given_up, rounds, "{driver}: a server that stands still acknowledges nothing");
}
