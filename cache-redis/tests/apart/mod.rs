//! What fails for one of those that travel together, or is a miss for it, is
//! nothing to the others.

use cache_core::{ErrorKind, Format, UndecodableReason};

use crate::batched::{ALL, Batched, EACH, MINUTE, key, write_all};
use crate::crowd::{Crowd, MEMBERS, at_once};
use crate::own_server::OwnServer;
use crate::patience::eventually;
use crate::resp::{Answer, Client};

with_each_driver!(
    a_value_of_another_kind_is_a_miss_for_it_alone,
    a_value_of_another_kind_is_overwritten_alone,
    a_value_that_is_too_long_fails_alone,
    a_full_server_fails_the_writes_that_it_refused,
);

/// Asks for so many keys, of which each fifth has something else.
async fn a_value_of_another_kind_is_a_miss_for_it_alone(driver: &'static str) {
    let mut batched = Batched::of(driver).await;
    write_all(&batched.cache).await;
    for number in (0..ALL).step_by(5) {
        batched.other.ask(&format!("DEL :1:key-{number}")).await;
        batched.other.ask(&format!("RPUSH :1:key-{number} 1 2 3")).await;
    }
    let crowd = Crowd::over(&batched.cache);
    at_once(MEMBERS, |member| {
        let cache = batched.cache.clone();
        async move {
            for number in member * EACH..(member + 1) * EACH {
                let expected = (number % 5 != 0).then_some(number);
                assert_eq!(cache.aget(&key(number)).await.expect("it is answered"), expected);
            }
        }
    })
    .await;
    crowd.was_well(&batched.cache).await;
    for number in (0..ALL).step_by(5) {
        assert_eq!(
            batched.other.kind_of(&format!(":1:key-{number}")).await,
            "list",
            "{driver}: it is not ours"
        );
    }
    assert!(batched.cache.stats().errors.is_empty(), "{driver}: {:?}", batched.cache.stats());
}

async fn a_value_of_another_kind_is_overwritten_alone(driver: &'static str) {
    let mut batched = Batched::of(driver).await;
    for number in 0..MEMBERS {
        batched.other.ask(&format!("RPUSH :1:key-{number} 1 2 3")).await;
    }
    let crowd = Crowd::over(&batched.cache);
    let outcomes = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move {
            match number % 3 {
                0 => cache.aset(&key(number), &number, MINUTE).await.map(|()| true),
                1 => cache.aadd(&key(number), &number, MINUTE).await,
                _ => cache.aincr(&key(number), 1).await.map(|_| true),
            }
        }
    })
    .await;
    crowd.was_well(&batched.cache).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let kind = batched.other.kind_of(&format!(":1:key-{number}")).await;
        match number % 3 {
            0 => assert_eq!((outcome.ok(), &*kind), (Some(true), "string"), "{driver}"),
            1 => assert_eq!((outcome.ok(), &*kind), (Some(false), "list"), "{driver}"),
            _ => {
                outcome.expect_err("it is no counter");
                assert_eq!(kind, "list", "{driver}");
            }
        }
    }
}

async fn a_value_that_is_too_long_fails_alone(driver: &'static str) {
    const MOST: usize = 1_000;
    let format = Format::default().with_max_value_bytes(MOST);
    let mut batched = Batched::with(driver, None, format).await;
    let long = |number: usize| number.is_multiple_of(4);
    let text =
        move |number: usize| if long(number) { "l".repeat(2 * MOST) } else { format!("text {number}") };

    let crowd = Crowd::over(&batched.cache);
    let outcomes = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move { cache.aset(&key(number), &text(number), MINUTE).await }
    })
    .await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let expected = long(number).then_some(ErrorKind::TooLarge);
        assert_eq!(outcome.err().map(|error| error.kind()), expected, "{driver}: key {number}");
    }
    // Another program does not know of the limit.
    let longer = "m".repeat(3 * MOST);
    for number in (0..MEMBERS).filter(|number| long(*number)) {
        let stored = format!(":1:{}", key(number));
        assert_eq!(batched.other.get(&stored).await, None, "{driver}: nothing was sent");
        batched.other.set(&stored, longer.as_bytes()).await;
    }
    let found = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move { cache.aget::<String>(&key(number)).await }
    })
    .await;
    for (number, found) in found.into_iter().enumerate() {
        let expected = (!long(number)).then(|| text(number));
        assert_eq!(found.expect("it is answered"), expected, "{driver}: key {number}");
    }
    crowd.was_well(&batched.cache).await;
    let stats = batched.cache.stats();
    let too_long = (0..MEMBERS).filter(|number| long(*number)).count() as u64;
    assert_eq!(stats.undecodable, [(UndecodableReason::TooLarge, too_long)], "{driver}: {stats:?}");
    assert_eq!(stats.errors.get(&ErrorKind::TooLarge), Some(&too_long), "{driver}: {stats:?}");
    assert_eq!((stats.outages, stats.reconnections), (0, 0), "{driver}: {stats:?}");
}

async fn a_full_server_fails_the_writes_that_it_refused(driver: &'static str) {
    let server = OwnServer::start(&["--maxmemory-policy", "noeviction"]).await;
    let mut batched = Batched::with(driver, Some(&server), Format::default()).await;
    write_all(&batched.cache).await;
    // Room for some of what follows, which is more than three megabytes.
    let used = used_memory(&mut batched.other).await;
    server.obeys(&["CONFIG", "SET", "maxmemory", &(used + 1_500_000).to_string()]);

    let text = |number: usize| format!("{number} {}", "t".repeat(50_000));
    let outcomes = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move { cache.aset(&format!("large-{number}"), &text(number), MINUTE).await }
    })
    .await;
    let (mut taken, mut refused) = (0, 0);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let found = batched.cache.aget::<String>(&format!("large-{number}")).await.expect("a read");
        match outcome {
            Ok(()) => {
                assert_eq!(found, Some(text(number)), "{driver}: it was taken");
                taken += 1;
            }
            Err(error) => {
                assert_eq!((error.kind(), found), (ErrorKind::Full, None), "{driver}: it was refused");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "{driver}: {taken} were taken");

    // What takes no room works, and what was loaded is handed out.
    server.obeys(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let others = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move {
            match number % 4 {
                0 => cache.aget(&key(number)).await,
                1 => cache.adelete(&key(number)).await.map(|_| Some(number)),
                2 => cache
                    .aget_or_set(&format!("load-{number}"), MINUTE, move || async move { number })
                    .await
                    .map(|loaded| Some(*loaded)),
                _ => cache.aset(&key(number), &0, MINUTE).await.map(|()| None),
            }
        }
    })
    .await;
    for (number, outcome) in others.into_iter().enumerate() {
        match (number % 4, outcome) {
            (0..=2, outcome) => assert_eq!(outcome.expect("it takes no room"), Some(number), "{driver}"),
            (_, outcome) => {
                assert_eq!(outcome.expect_err("there is no room").kind(), ErrorKind::Full, "{driver}");
            }
        }
    }
    // That is counted when the value has been handed out.
    let loads = MEMBERS as u64 / 4;
    eventually("all are counted", async || batched.cache.stats().publishes_failed == loads).await;
    let stats = batched.cache.stats();
    assert_eq!((stats.outages, stats.reconnections), (0, 0), "{driver}: it answers all the time");
    assert_eq!(stats.errors.keys().collect::<Vec<_>>(), [&ErrorKind::Full], "{driver}: {stats:?}");

    server.obeys(&["CONFIG", "SET", "maxmemory", "0"]);
    write_all(&batched.cache).await;
}

async fn used_memory(other: &mut Client) -> u64 {
    let Answer::Value(info) = other.ask("INFO memory").await else { panic!("it is a text") };
    let info = String::from_utf8(info).expect("it is a text");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("it says so");
    used.trim().parse().expect("it is a number")
}
