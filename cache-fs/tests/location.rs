//! Where a store can be, what it makes there, and what is said of a bad place.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cache_core::{
    Backend as _, Cache, Clock as _, Context, Error, ErrorKind, Opened, SettingValue, Settings, Timeout,
};
use cache_fs::{FsBackend, FsSettings, FsStore, Sharing};
use cache_testkit::ManualClock;

mod directory;
mod eventually;

use directory::Directory;
use eventually::eventually;

async fn refused(location: &Path) -> Error {
    let outcome = FsStore::open(location, &FsSettings::default(), &Context::new("pages")).await;
    let error = outcome.expect_err("it is no place for a store");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error
}

#[tokio::test]
async fn a_relative_one() {
    let error = refused(Path::new("var/cache")).await;
    assert!(error.to_string().contains("relative: var/cache"), "{error}");
    let settings = Settings::new(vec!["var/cache".to_owned()]);
    let checked = FsBackend.check(&settings).expect_err("nothing is opened");
    assert_eq!(checked.detail(), error.detail());
    assert!(!Path::new("var").exists());
}

#[tokio::test]
async fn none_or_several() {
    for (location, said) in [(vec![], "missing"), (vec!["/a".to_owned(), "/b".to_owned()], "not a list")] {
        let error = FsBackend.check(&Settings::new(location)).expect_err("it is no location");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_file_or_below_one() {
    let directory = Directory::new();
    let file = directory.path().join("file");
    fs::write(&file, "somebody's").expect("it can be written");
    let error = refused(&file).await;
    assert!(error.to_string().contains("is a file, not a directory"), "{error}");
    let error = refused(&file.join("below")).await;
    assert!(error.to_string().contains("cannot be made"), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "somebody's");
}

/// Also root cannot write there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_cannot_be_written_to() {
    let error = refused(Path::new("/proc/self")).await;
    assert!(error.to_string().contains("/proc/self cannot be written to by this user"), "{error}");
    let error = refused(Path::new("/proc/cache")).await;
    assert!(error.to_string().contains("/proc/cache cannot be made"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_made_is_the_users_own() {
    use std::os::unix::fs::PermissionsExt as _;

    for (sharing, of_directory, of_file) in
        [(Sharing::Private, 0o700, 0o600), (Sharing::Group, 0o2770, 0o660)]
    {
        let directory = Directory::new();
        let location = directory.path().join("several/levels/down");
        let mut settings = FsSettings::default();
        settings.sharing = sharing;
        let store =
            FsStore::open(&location, &settings, &Context::new("pages")).await.expect("it can be made");
        let cache = Cache::new(store);
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
        let told = location.join(".sweep");
        let is_swept = async || told.metadata().is_ok_and(|told| told.len() == 8);
        eventually("the first round is over", is_swept).await;
        let mut paths = vec![directory.path().join("several")];
        while let Some(path) = paths.pop() {
            let metadata = fs::metadata(&path).expect("it is there");
            let expected = if metadata.is_dir() { of_directory } else { of_file };
            assert_eq!(metadata.permissions().mode() & 0o7777, expected, "{}", path.display());
            if metadata.is_dir() {
                paths.extend(
                    fs::read_dir(&path).expect("it is one").map(|entry| entry.expect("it is listed").path()),
                );
            }
        }
        assert!(!directory.entries().is_empty());
    }
}

#[tokio::test]
async fn one_directory_is_one_place() {
    let directory = Directory::new();
    let place = |path: &Path| FsBackend.place(&Settings::new(vec![path.to_string_lossy().into_owned()]));
    let plain = place(&directory.path().join("cache"));
    assert!(plain.is_some());
    assert_eq!(plain, place(&directory.path().join("./cache/")));
    assert_ne!(plain, place(&directory.path().join("another")));
    let settings = Settings::new(vec![directory.path().join("cache").to_string_lossy().into_owned()]);
    let opened = FsBackend.open(settings, &Context::new("pages")).await.expect("it can be made");
    let Opened::Remote { replicas, .. } = opened else { panic!("its layers are put around it") };
    assert!(replicas.is_empty());
    assert_eq!(plain, place(&directory.path().join("cache/../cache")));
}

#[tokio::test]
async fn what_a_configuration_says_is_done() {
    let directory = Directory::new();
    let clock = Arc::new(ManualClock::new());
    let context = Context::new("pages").with_clock(Arc::<ManualClock>::clone(&clock));
    let settings = Settings::new(vec![directory.path().to_string_lossy().into_owned()])
        .with("max_entries", SettingValue::Integer(2))
        .with("max_bytes", SettingValue::Integer(1_000))
        .with("cull_frequency", SettingValue::Integer(0))
        .with("eviction", SettingValue::Text("lru".to_owned()))
        .with("fsync", SettingValue::Text("data".to_owned()))
        .with("sharing", SettingValue::Text("group".to_owned()));
    let opened = FsBackend.open(settings, &context).await.expect("the directory is fine");
    let Opened::Remote { leader, .. } = opened else { panic!("its layers are put around it") };
    let cache = Cache::builder(Arc::clone(&leader)).context(&context).build();

    cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
    let metadata = directory.entry().metadata().expect("it is there");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o660);
    // It tells when it was used last.
    assert_eq!(metadata.modified().expect("it is told"), clock.wall());

    let error = cache.aset("key", &"x".repeat(1_000), Timeout::Forever).await;
    assert_eq!(error.expect_err("it is too long").kind(), ErrorKind::TooLarge);

    for name in ["key", "another", "a third"] {
        cache.aset(name, "text", Timeout::Forever).await.expect("it is taken");
    }
    eventually("all are gone", async || cache.stats().evictions == 3).await;
}
