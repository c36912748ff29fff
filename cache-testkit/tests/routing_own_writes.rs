//! What was written here is read from the leader for a while.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

mod routing_rig;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    AsyncCache, Entry, ErrorKind, Format, Incr, Life, NewEntry, Read, Result, Routing, RoutingSettings,
    Scope, Timeout, When, Write,
};
use cache_testkit::Call;
use futures::future::BoxFuture;

use routing_rig::{Layout, Rig, get, key, ms, set};

const WINDOW: Duration = ms(500);

fn rig() -> Rig {
    Layout::of(1).settings(RoutingSettings::new().read_your_writes(WINDOW)).rig()
}

/// Who is asked by a read of this key: 0 for the leader.
async fn asked_for(rig: &Rig, name: &str) -> usize {
    let before = rig.leader().begun(Call::Get);
    get(&*rig.routing, name).await.expect("healthy");
    usize::from(rig.leader().begun(Call::Get) == before)
}

/// All ways to write `a`, and `b` in those of two keys.
type Writes =
    Vec<(&'static str, &'static [&'static str], fn(Arc<Routing>) -> BoxFuture<'static, Result<()>>)>;

async fn set_with(routing: &Routing, when: When) -> Result<()> {
    let format = Format::default();
    let value = NewEntry::of(Entry::from_integer(1), &format);
    routing.aset(&key("a"), &value, Write::new(Life::Forever).when(when)).await.map(drop)
}

async fn set_both(routing: &Routing) -> Result<()> {
    let format = Format::default();
    let items = ["a", "b"]
        .map(|name| (key(name), NewEntry::of(Entry::from_integer(1), &format), Write::new(Life::Forever)));
    routing.set_many(&items).await.map(drop)
}

fn writes() -> Writes {
    vec![
        ("aset", &["a"], |routing| Box::pin(async move { set_with(&routing, When::Always).await })),
        ("aadd", &["a"], |routing| Box::pin(async move { set_with(&routing, When::Absent).await })),
        ("atouch", &["a"], |routing| {
            Box::pin(async move { routing.atouch(&key("a"), Life::Forever).await.map(drop) })
        }),
        ("adelete", &["a"], |routing| {
            Box::pin(async move { routing.adelete(&key("a"), &When::Always).await.map(drop) })
        }),
        ("aincr", &["a"], |routing| {
            Box::pin(async move { routing.aincr(&key("a"), Incr::by(1)).await.map(drop) })
        }),
        ("amove", &["a", "b"], |routing| {
            Box::pin(async move { routing.amove(&key("a"), &key("b")).await.map(drop) })
        }),
        ("set_many", &["a", "b"], |routing| Box::pin(async move { set_both(&routing).await })),
        ("delete_many", &["a", "b"], |routing| {
            Box::pin(async move { routing.delete_many(&[key("a"), key("b")]).await.map(drop) })
        }),
        ("aclear", &["a", "b", "c", "never written"], |routing| {
            Box::pin(async move { routing.aclear(&Scope::of_prefix("rig")).await })
        }),
    ]
}

/// From now on for the window, and then no longer.
async fn covers_for_the_window(rig: &Rig, name: &str, written: &[&str]) {
    let ended = rig.now();
    for passed in [ms(0), WINDOW / 2, ms(498)] {
        rig.clock.pass((ended.after(passed)).since(rig.now())).await;
        for key in written {
            assert_eq!(asked_for(rig, key).await, 0, "{key}, {passed:?} after {name}");
        }
        // Nothing else is, but for one that shares the place of one of them.
        if name != "aclear" {
            let mut shared = 0;
            for other in ["x", "y", "z"] {
                shared += usize::from(asked_for(rig, other).await == 0);
            }
            assert!(shared <= 1, "others {passed:?} after {name}");
        }
    }
    rig.clock.pass(ms(20)).await;
    for key in written {
        assert_eq!(asked_for(rig, key).await, 1, "{key} after the window of {name}");
    }
}

#[tokio::test]
async fn each_write_is_read_from_the_leader_for_the_window() {
    for (name, written, write) in writes() {
        let rig = rig();
        write(Arc::clone(&rig.routing)).await.expect("healthy");
        covers_for_the_window(&rig, name, written).await;
    }
}

#[tokio::test]
async fn the_window_begins_when_the_write_has_ended() {
    for (name, written, write) in writes() {
        for after in [false, true] {
            let rig = rig();
            let on = rig.leader().on(Call::ALL).times(1);
            if after { on.after() } else { on }.delay(rig.time(), ms(80));
            let routing = Arc::clone(&rig.routing);
            let (done, took) = rig.finish(async move { write(routing).await }).await;
            assert!(took >= ms(80), "{took:?}");
            done.expect("it is slow, and healthy");
            covers_for_the_window(&rig, name, written).await;
        }
    }
}

/// It may have taken effect.
#[tokio::test]
async fn a_failed_write_counts() {
    for (name, written, write) in writes() {
        let rig = rig();
        rig.leader().on(Call::ALL).times(1).after().fail(ErrorKind::Connection);
        write(Arc::clone(&rig.routing)).await.expect_err("as told");
        // The trip has to see that the leader is there again.
        rig.clock.pass(ms(70)).await;
        let missed = rig.leader().begun(Call::Get);
        for key in written {
            get(&*rig.routing, key).await.expect("the leader is back");
        }
        assert_eq!(rig.leader().begun(Call::Get), missed + written.len(), "{name}");
        rig.clock.pass(WINDOW).await;
        for key in written {
            assert_eq!(asked_for(&rig, key).await, 1, "{key} after the window of {name}");
        }
    }
}

#[tokio::test]
async fn a_dropped_write_counts_from_when_it_was_dropped() {
    for (name, written, write) in writes() {
        let rig = rig();
        let gate = rig.leader().on(Call::ALL).times(1).after().pause();
        let task = tokio::spawn(write(Arc::clone(&rig.routing)));
        gate.reached(1).await;
        rig.clock.pass(ms(80)).await;
        task.abort();
        assert!(task.await.expect_err("it was dropped").is_cancelled());
        covers_for_the_window(&rig, name, written).await;
    }
}

/// It may have taken effect by then.
#[tokio::test]
async fn a_write_under_way_counts() {
    for (name, written, write) in writes() {
        let rig = rig();
        let gate = rig.leader().on(Call::ALL).times(1).after().pause();
        let task = tokio::spawn(write(Arc::clone(&rig.routing)));
        gate.reached(1).await;
        for key in written {
            assert_eq!(asked_for(&rig, key).await, 0, "{key} during {name}");
        }
        gate.open();
        task.await.expect("no panic").expect("healthy");
    }
}

/// Under way for longer than the window: a clear may take as long as it likes.
#[tokio::test]
async fn a_write_that_takes_longer_than_the_window_counts_all_the_while() {
    let settings = RoutingSettings::new().read_your_writes(ms(30));
    let rig = Layout::of(1).settings(settings).rig();
    rig.leader().on([Call::Set]).after().delay(rig.time(), ms(90));
    let routing = Arc::clone(&rig.routing);
    let write = tokio::spawn(async move { set(&*routing, "a", 1).await });
    rig.clock.pass(ms(95)).await;
    write.await.expect("no panic").expect("healthy");
    assert_eq!(asked_for(&rig, "a").await, 0, "it ended just now");
    rig.clock.pass(ms(40)).await;
    assert_eq!(asked_for(&rig, "a").await, 1);
}

/// Two writes of one key: the earlier one's end does not end the later one's.
#[tokio::test]
async fn a_later_write_begins_the_window_anew() {
    let rig = rig();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    rig.clock.pass(ms(450)).await;
    set(&*rig.routing, "a", 2).await.expect("healthy");
    covers_for_the_window(&rig, "aset", &["a"]).await;
}

#[tokio::test]
async fn an_earlier_write_that_ends_later_does_not_shorten_it() {
    let rig = rig();
    let gate = rig.leader().on([Call::Delete]).times(1).pause();
    let routing = Arc::clone(&rig.routing);
    let delete = tokio::spawn(async move { routing.adelete(&key("a"), &When::Always).await });
    gate.reached(1).await;
    rig.clock.pass(ms(50)).await;
    set(&*rig.routing, "a", 2).await.expect("healthy");
    gate.open();
    delete.await.expect("no panic").expect("healthy");
    covers_for_the_window(&rig, "aset", &["a"]).await;
}

#[tokio::test]
async fn all_kinds_of_reads_keep_to_it() {
    let rig = rig();
    set(&*rig.routing, "a", 1).await.expect("healthy");
    let (a, read) = (key("a"), Read::default());
    assert!(rig.routing.aget(&a, read).await.expect("healthy").is_some());
    assert!(rig.routing.ahas_key(&a, read).await.expect("healthy"));
    assert_eq!(rig.routing.alife(&a, read).await.expect("healthy"), Some(Life::Forever));
    let found = rig.routing.get_many(&[a], read).await.expect("healthy").remove(0);
    assert!(found.expect("healthy").is_some());
    assert_eq!(rig.asked(), [5, 0]);
}

#[tokio::test]
async fn unless_it_is_asked_for_writes_do_not_matter() {
    let rig = Layout::of(1).rig();
    for (name, written, write) in writes() {
        write(Arc::clone(&rig.routing)).await.expect("healthy");
        for key in written {
            assert_eq!(asked_for(&rig, key).await, 1, "{key} after {name}");
        }
    }
}

#[tokio::test]
async fn versions_are_keys_of_their_own() {
    // Two versions may share a place, once in some thousand rigs.
    assert!(are_apart(&rig()).await || are_apart(&rig()).await, "the first version was not written");
}

/// Whether the first version has a place of its own, where the others were written.
async fn are_apart(rig: &Rig) -> bool {
    let cache = rig.handle().build();
    let second = cache.at_version(2);
    let asked = async |cache: &cache_core::Cache| {
        let before = rig.leader().begun(Call::Get);
        cache.aget::<i64>("a").await.expect("healthy");
        usize::from(rig.leader().begun(Call::Get) == before)
    };
    second.aset("a", &1, Timeout::Forever).await.expect("healthy");
    let mut apart = asked(&cache).await == 1;
    assert_eq!(asked(&second).await, 0);
    rig.clock.pass(WINDOW + ms(20)).await;
    assert_eq!((asked(&cache).await, asked(&second).await), (1, 1));
    // From the second to the third, and all clones know.
    assert_eq!(second.aincr_version("a", 1).await.expect("it is there"), 3);
    let third = cache.clone().at_version(3);
    apart &= asked(&cache).await == 1;
    assert_eq!((asked(&second).await, asked(&third).await), (0, 0));
    assert_eq!(third.aget::<i64>("a").await.expect("healthy"), Some(1));
    cache.aclear().await.expect("healthy");
    assert_eq!((asked(&cache).await, asked(&cache.at_version(9)).await), (0, 0));
    apart
}

/// However many keys are written within the window: none is forgotten, and few
/// others are taken for one of them.
#[tokio::test]
async fn many_writes_are_all_remembered() {
    let rig = rig();
    let names: Vec<String> = (0..3_000).map(|number| format!("key {number}")).collect();
    for name in &names[..1_000] {
        set(&*rig.routing, name, 1).await.expect("healthy");
    }
    for name in &names[..1_000] {
        assert_eq!(asked_for(&rig, name).await, 0, "{name}");
    }
    let mut mistaken = 0;
    for name in &names[1_000..] {
        mistaken += usize::from(asked_for(&rig, name).await == 0);
    }
    eprintln!("{mistaken} of 2000 share a place with one of 1000");
    // 128 KiB have room for 16,384 of eight bytes.
    assert!(mistaken < 300, "{mistaken}");
    // More than there are places.
    for number in 0..40_000 {
        set(&*rig.routing, &format!("other {number}"), 1).await.expect("healthy");
    }
    for name in &names[..1_000] {
        assert_eq!(asked_for(&rig, name).await, 0, "{name}");
    }
    rig.clock.pass(WINDOW + ms(20)).await;
    for name in &names {
        assert_eq!(asked_for(&rig, name).await, 1, "{name}");
    }
}
