//! Each of those that travel together has a condition and a life of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_core::{Borrow, Format, Key, KeySpace, Life, NewEntry, Timeout, When, Write};

use crate::batched::{Batched, MINUTE, key};
use crate::crowd::{Crowd, MEMBERS, at_once};
use crate::patience;
use crate::resp::Answer;

with_each_driver!(
    of_many_who_add_one_key_one_wins,
    a_condition_is_about_its_own_key,
    each_entry_has_the_life_that_it_was_given,
    a_key_is_loaded_once,
);

async fn of_many_who_add_one_key_one_wins(driver: &'static str) {
    const KEYS: usize = 20;
    let batched = Batched::of(driver).await;
    let crowd = Crowd::over(&batched.cache);
    for contest in 0..KEYS {
        let outcomes = at_once(MEMBERS, |member| {
            let cache = batched.cache.clone();
            async move { cache.aadd(&key(contest), &member, MINUTE).await.expect("it is answered") }
        })
        .await;
        let winners: Vec<_> = (0..MEMBERS).filter(|member| outcomes[*member]).collect();
        let found = batched.cache.aget::<usize>(&key(contest)).await.expect("it is answered");
        assert_eq!(winners, Vec::from_iter(found), "{driver}: who won has its value there");
    }
    crowd.was_well(&batched.cache).await;
}

async fn a_condition_is_about_its_own_key(driver: &'static str) {
    let mut batched = Batched::of(driver).await;
    let is_there = |number: usize| number.is_multiple_of(2);
    let present: Vec<_> = (0..MEMBERS).filter(|number| is_there(*number)).map(key).collect();
    batched.cache.set_many(present.iter().map(|key| (key, &0)), MINUTE).await.expect("they are taken");

    let crowd = Crowd::over(&batched.cache);
    let when = |number: usize| match number % 3 {
        0 => When::Always,
        1 => When::Absent,
        _ => When::Present,
    };
    let outcomes = at_once(MEMBERS, |number| {
        let store = Arc::clone(&batched.store);
        async move {
            let (space, name, format) = (KeySpace::new("", 1), key(number), Format::default());
            let number_as_value = i64::try_from(number).expect("it is small");
            let value = Borrow::new(&number_as_value);
            let write = Write::new(Life::Forever).when(when(number));
            store.aset(&Key::new(&space, &name), &NewEntry::borrowed(&value, &format), write).await
        }
    })
    .await;
    crowd.was_well(&batched.cache).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let is_taken = match number % 3 {
            0 => true,
            1 => !is_there(number),
            _ => is_there(number),
        };
        assert_eq!(outcome.expect("it is answered"), is_taken, "{driver}: key {number}");
        let stored = batched.other.get(&format!(":1:{}", key(number))).await;
        let expected =
            if is_taken { Some(number.to_string()) } else { is_there(number).then(|| "0".to_owned()) };
        assert_eq!(stored, expected.map(String::into_bytes), "{driver}: key {number}");
    }
}

async fn each_entry_has_the_life_that_it_was_given(driver: &'static str) {
    let mut batched = Batched::of(driver).await;
    let crowd = Crowd::over(&batched.cache);
    let life = |number: usize| match number {
        number if number.is_multiple_of(7) => None,
        number => Some(Duration::from_secs(100 * (1 + number as u64))),
    };
    at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move {
            let timeout = life(number).map_or(Timeout::Forever, Timeout::from);
            if number.is_multiple_of(2) {
                cache.aset(&key(number), &number, timeout).await.expect("it is taken");
            } else {
                assert!(cache.aadd(&key(number), &number, timeout).await.expect("it is taken"));
            }
        }
    })
    .await;
    for number in 0..MEMBERS {
        let Answer::Integer(left) = batched.other.ask(&format!("PTTL :1:key-{number}")).await else {
            panic!("it is a number")
        };
        match life(number) {
            None => assert_eq!(left, -1, "{driver}: key {number} lives forever"),
            Some(life) => {
                let left = Duration::from_millis(u64::try_from(left).expect("it ends"));
                // It began a moment ago.
                assert!(
                    left <= life && left + Duration::from_secs(50) > life,
                    "{driver}: {left:?} of {life:?}"
                );
            }
        }
    }
    let short = Duration::from_millis(300);
    at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move {
            let timeout = if number.is_multiple_of(2) { short } else { MINUTE };
            cache.aset(&key(number), &number, timeout).await.expect("it is taken");
        }
    })
    .await;
    patience::pause(short + Duration::from_millis(100)).await;
    let found = at_once(MEMBERS, |number| {
        let cache = batched.cache.clone();
        async move { cache.aget::<usize>(&key(number)).await.expect("it is answered") }
    })
    .await;
    for (number, found) in found.into_iter().enumerate() {
        let expected = (!number.is_multiple_of(2)).then_some(number);
        assert_eq!(found, expected, "{driver}: key {number}");
    }
    crowd.was_well(&batched.cache).await;
}

async fn a_key_is_loaded_once(driver: &'static str) {
    const KEYS: usize = 20;
    let batched = Batched::of(driver).await;
    let crowd = Crowd::over(&batched.cache);
    let loads: Arc<[AtomicUsize]> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    at_once(MEMBERS, |member| {
        let (cache, loads) = (batched.cache.clone(), Arc::clone(&loads));
        async move {
            for turn in 0..KEYS {
                let number = (member + turn) % KEYS;
                let loads = Arc::clone(&loads);
                let load = move || async move {
                    loads[number].fetch_add(1, Ordering::SeqCst);
                    patience::pause(Duration::from_millis(5)).await;
                    number
                };
                let loaded = cache.aget_or_set(&key(number), MINUTE, load).await.expect("it is loaded");
                assert_eq!(*loaded, number);
            }
        }
    })
    .await;
    let counts: Vec<_> = loads.iter().map(|count| count.load(Ordering::SeqCst)).collect();
    assert_eq!(counts, [1; KEYS], "{driver}");
    for number in 0..KEYS {
        assert_eq!(batched.cache.aget(&key(number)).await.expect("it is answered"), Some(number), "{driver}");
    }
    crowd.was_well(&batched.cache).await;
    let stats = batched.cache.stats();
    assert_eq!((stats.loads, stats.publishes_failed), (KEYS as u64, 0), "{driver}: {stats:?}");
}
