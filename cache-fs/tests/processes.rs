//! Several processes on one directory. This program is all of them: told a role,
//! it plays it, and otherwise it starts others and looks at what they did.

#![expect(clippy::print_stderr, reason = "a test tells what it measured")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Cache, Clock as _, ErrorKind, SystemClock, Timeout};
use cache_fs::{Eviction, FsSettings, Sharing};
use libtest_mimic::{Arguments, Failed, Trial};

mod directory;
mod scale;

use directory::{Directory, cache_at, files_below};
use scale::scaled;

const ROLE: &str = "CACHE_FS_TEST_ROLE";
const PROCESSES: usize = 4;

fn main() -> ExitCode {
    if let Ok(role) = env::var(ROLE) {
        let directory = PathBuf::from(env::args().nth(1).expect("the role is told the directory"));
        let size = env::args().nth(2).map_or(0, |size| size.parse().expect("it is a number"));
        run(async { play(&role, &directory, size).await });
        return ExitCode::SUCCESS;
    }
    let trials = vec![
        trial("increments_are_not_lost", increments_are_not_lost),
        trial("one_process_wins_each_add", one_process_wins_each_add),
        trial("readers_see_no_torn_value", readers_see_no_torn_value),
        trial("what_is_killed_leaves_whole_entries", what_is_killed_leaves_whole_entries),
        trial("a_full_disk_loses_nothing", a_full_disk_loses_nothing),
        trial("a_disk_that_is_not_written_to_is_told", a_disk_that_is_not_written_to_is_told),
        trial("too_many_open_files_are_told", too_many_open_files_are_told),
        trial("short_lived_writers_keep_the_limit", short_lived_writers_keep_the_limit),
        trial("a_move_waits_for_no_other", a_move_waits_for_no_other),
        trial("what_may_not_be_read_goes_first", what_may_not_be_read_goes_first),
        trial("uses_by_another_user_are_told", uses_by_another_user_are_told).with_ignored_flag(!is_root()),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("there are threads").block_on(future)
}

/// What a process does that was told a role.
async fn play(role: &str, directory: &Path, size: usize) {
    let cache = cache_at(directory, &FsSettings::default(), Arc::new(SystemClock)).await;
    match role {
        "increment" => {
            for _ in 0..size {
                cache.aincr("count", 1).await.expect("it is there");
            }
        }
        "add" => add(&cache, size).await,
        "write_large" => loop {
            for letter in b'a'..=b'z' {
                cache.aset("large", &large(letter), Timeout::Forever).await.expect("it is taken");
            }
        },
        "write_until_killed" => write_until_killed(&cache, size).await,
        "fill" => fill(&cache, directory).await,
        "only_read" => only_read(&cache, directory).await,
        "exhaust" => exhaust(&cache).await,
        "write_one" => write_one(directory, size).await,
        "move" => shift(&cache, size).await,
        "fill_beside_unreadable" => fill_beside_unreadable(directory).await,
        "use" => use_once(directory).await,
        role => panic!("there is no role {role}"),
    }
}

fn start(role: &str, directory: &Path, size: usize) -> Child {
    let program = env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.env(ROLE, role).arg(directory).arg(size.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("a process can be started")
}

/// What it printed, once it has ended well.
fn output_of(child: Child) -> String {
    let output = child.wait_with_output().expect("it can be waited for");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).expect("it is text")
}

fn increments_are_not_lost() {
    let directory = Directory::new();
    let each = scaled(100);
    let cache = run(async { directory.cache().await });
    run(async {
        cache.aset("count", &0, Timeout::After(Duration::from_hours(1))).await.expect("it is taken");
    });
    let children: Vec<_> = (0..PROCESSES).map(|_| start("increment", directory.path(), each)).collect();
    for child in children {
        output_of(child);
    }
    run(async {
        let count = cache.aget::<usize>("count").await.expect("it is read");
        eprintln!("{PROCESSES} processes, {each} increments each: {count:?}");
        assert_eq!(count, Some(PROCESSES * each));
    });
}

async fn add(cache: &Cache, contests: usize) {
    let mut won = String::new();
    for contest in 0..contests {
        let name = format!("contest-{contest}");
        if cache.aadd(&name, &std::process::id(), Timeout::Forever).await.expect("it is answered") {
            won.push_str(&name);
            won.push('\n');
        }
    }
    print(&won);
}

#[expect(clippy::print_stdout, reason = "it is how a process tells what it saw")]
fn print(text: &str) {
    print!("{text}");
}

fn one_process_wins_each_add() {
    let directory = Directory::new();
    let contests = scaled(100);
    let children: Vec<_> = (0..PROCESSES).map(|_| start("add", directory.path(), contests)).collect();
    let won: Vec<_> = children.into_iter().map(output_of).collect();
    let mut winners: Vec<_> = won.iter().flat_map(|won| won.lines()).collect();
    let wins: Vec<_> = won.iter().map(|won| won.lines().count()).collect();
    eprintln!("{contests} contests of {PROCESSES} processes, won: {wins:?}");
    winners.sort_unstable();
    let before = winners.len();
    winners.dedup();
    assert_eq!((before, winners.len()), (contests, contests), "each is won once");
}

/// A megabyte of one letter.
fn large(letter: u8) -> Vec<u8> {
    vec![letter; 1 << 20]
}

fn readers_see_no_torn_value() {
    let directory = Directory::new();
    let cache = run(async { directory.cache().await });
    run(async {
        cache.aset("large", &large(b'a'), Timeout::Forever).await.expect("it is taken");
    });
    let writers: Vec<_> = (0..2).map(|_| Killed(start("write_large", directory.path(), 0))).collect();
    let reads = scaled(200);
    let mut letters = [0_usize; 26];
    run(async {
        for _ in 0..reads {
            let value = cache.aget::<Vec<u8>>("large").await.expect("it is read").expect("it is never gone");
            assert!(value.len() == 1 << 20 && value.iter().all(|byte| *byte == value[0]), "it is torn");
            letters[usize::from(value[0] - b'a')] += 1;
        }
    });
    let seen = letters.iter().filter(|count| **count > 0).count();
    eprintln!("{reads} reads beside 2 writers of 1 MB: none torn, {seen} different values");
    assert!(seen > 1, "the writers wrote");
    drop(writers);
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const KEYS: usize = 50;

/// Each value says of which key it is, in many places.
fn value_of(key: usize, round: usize) -> String {
    format!("{key}:{round};").repeat(1 + (key * 37 + round) % 3_000)
}

async fn write_until_killed(cache: &Cache, first: usize) {
    for round in first.. {
        for key in 0..KEYS {
            cache.aset(&key.to_string(), &value_of(key, round), Timeout::Forever).await.expect("it is taken");
        }
        if round == first {
            // Each key has a value now; whoever waits for it may kill.
            print("ready\n");
            std::io::Write::flush(&mut std::io::stdout()).expect("it is read");
        }
    }
}

fn what_is_killed_leaves_whole_entries() {
    let directory = Directory::new();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kills = scaled(10);
    let mut leftovers = 0;
    for kill in 0..kills {
        let mut child = start("write_until_killed", directory.path(), kill * 1_000);
        // It is killed anywhere, also as it begins, but for the first.
        if kill == 0 {
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().expect("it is piped"), &mut ready)
                .expect("it writes");
        }
        #[expect(clippy::disallowed_methods, reason = "it is real time that the other process has")]
        std::thread::sleep(Duration::from_micros(random.u64(5_000..60_000)));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        leftovers += files_below(directory.path()).iter().filter(|path| is_leftover(path)).count();
        run(async {
            let cache = directory.cache().await;
            for key in 0..KEYS {
                let value = cache.aget::<String>(&key.to_string()).await.expect("it is read");
                let value = value.unwrap_or_else(|| panic!("key {key} is gone after {kill} kills"));
                let (start, _) = value.split_once(';').expect("it is whole");
                let (of, round) = start.split_once(':').expect("it is whole");
                assert_eq!(of, key.to_string());
                assert!(
                    value == value_of(key, round.parse().expect("it is a number")),
                    "key {key} is damaged"
                );
            }
            assert_eq!(cache.stats().undecodable.iter().map(|(_, count)| count).sum::<u64>(), 0);
        });
    }
    // A clear looks everywhere.
    run(async { directory.cache().await.aclear().await.expect("it is cleared") });
    let left: Vec<_> = files_below(directory.path()).into_iter().filter(|path| is_leftover(path)).collect();
    eprintln!(
        "{kills} kills: {KEYS} keys whole each time; {leftovers} leftovers seen, {} at the end",
        left.len()
    );
    assert!(left.is_empty(), "{left:?}");
}

fn is_leftover(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new-"))
}

/// On a disk that it fills.
async fn fill(cache: &Cache, directory: &Path) {
    cache.aset("kept", "the old value", Timeout::Forever).await.expect("there is room");
    let mut written = 0;
    let error = loop {
        match cache.aset(&format!("key-{written}"), &vec![7_u8; 20_000], Timeout::Forever).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    let large = vec![8_u8; 1 << 19];
    for name in ["kept", "key-0"] {
        let error = cache.aset(name, &large, Timeout::Forever).await.expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    }
    assert_eq!(cache.aget::<String>("kept").await.expect("it is read").as_deref(), Some("the old value"));
    for number in 0..written {
        let value = cache.aget::<Vec<u8>>(&format!("key-{number}")).await.expect("it is read");
        assert_eq!(value, Some(vec![7; 20_000]), "{number}");
    }
    assert!(files_below(directory).iter().all(|path| !is_leftover(path)), "nothing lies about");
    // A store can be opened on a full disk, also if no file fits any more, and space comes back.
    let taken: Vec<_> = (0..3_000).map(|number| directory.join(format!("taken-{number}"))).collect();
    let is_full = taken.iter().any(|path| fs::File::create(path).is_err());
    assert!(is_full, "there are no 3,000 files");
    let other = cache_at(directory, &FsSettings::default(), Arc::new(SystemClock)).await;
    for path in taken {
        let _ = fs::remove_file(path);
    }
    assert!(other.adelete("key-0").await.expect("it is removed"));
    other.aclear().await.expect("it is cleared");
    cache.aset("kept", &large, Timeout::Forever).await.expect("there is room again");
    print(&format!("{written}"));
}

fn a_full_disk_loses_nothing() {
    let directory = Directory::new();
    let written = output_of(on_a_small_disk("fill", directory.path()));
    eprintln!("a disk of 2 MiB was full after {written} values of 20 kB");
}

/// On a disk that may only be read from now on.
async fn only_read(cache: &Cache, directory: &Path) {
    cache.aset("kept", "the old value", Timeout::Forever).await.expect("there is room");
    // It is refused while something is written behind the callers' backs.
    let mut attempts = 0..1_000;
    let is_mounted = attempts.any(|_| {
        let mut command = Command::new("mount");
        command.args(["-o", "remount,ro"]).arg(directory).stderr(Stdio::null());
        command.status().expect("`mount` is there").success()
    });
    assert!(is_mounted);
    let outcomes = [
        cache.aset("kept", "another", Timeout::Forever).await,
        cache.aset("new", "text", Timeout::Forever).await,
        cache.adelete("kept").await.map(drop),
        cache.aclear().await,
    ];
    for outcome in outcomes {
        let error = outcome.expect_err("it is not written to");
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
    assert_eq!(cache.aget::<String>("kept").await.expect("it is read").as_deref(), Some("the old value"));
}

fn a_disk_that_is_not_written_to_is_told() {
    let directory = Directory::new();
    output_of(on_a_small_disk("only_read", directory.path()));
}

/// A process whose directory is a disk of its own.
fn on_a_small_disk(role: &str, directory: &Path) -> Child {
    let program = env::current_exe().expect("this program has a path");
    let script = "mount -t tmpfs -o size=2m,nr_inodes=2000 none \"$1\" && exec \"$2\" \"$1\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(directory).arg(program).env(ROLE, role).stdout(Stdio::piped());
    command.spawn().expect("`unshare` of util-linux is there")
}

/// With few files that may be open.
async fn exhaust(cache: &Cache) {
    cache.aset("kept", "the old value", Timeout::Forever).await.expect("there are files");
    // What is done behind the callers' backs may give a file back meanwhile.
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for _ in 0..100 {
        while let Ok(file) = fs::File::open("/dev/null") {
            taken.push(file);
        }
        refused.extend(cache.aget::<String>("kept").await.err());
        refused.extend(cache.aset("kept", "the old value", Timeout::Forever).await.err());
        // There is one for the lock, and none for what is to be written.
        taken.pop();
        refused.extend(cache.aset("kept", "the old value", Timeout::Forever).await.err());
    }
    assert!(refused.len() > 200, "no file can be opened: {}", refused.len());
    let other = refused.iter().find(|error| error.kind() != ErrorKind::Overloaded);
    assert!(other.is_none(), "{other:?}");
    drop(taken);
    assert_eq!(cache.aget::<String>("kept").await.expect("it is read").as_deref(), Some("the old value"));
    cache.aset("kept", "another", Timeout::Forever).await.expect("there are files again");
}

fn too_many_open_files_are_told() {
    let directory = Directory::new();
    let program = env::current_exe().expect("this program has a path");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$1\" \"$2\"", "sh"]).arg(program).arg(directory.path());
    command.env(ROLE, "exhaust").stdout(Stdio::piped());
    output_of(command.spawn().expect("there is a shell"));
}

const LIMIT: u64 = 40;

fn small() -> FsSettings {
    let mut settings = FsSettings::default();
    settings.max_entries = LIMIT;
    settings
}

/// A program that writes a little and ends.
async fn write_one(directory: &Path, number: usize) {
    let cache = cache_at(directory, &small(), Arc::new(SystemClock)).await;
    for part in 0..4 {
        cache.aset(&format!("{number}-{part}"), "text", Timeout::Forever).await.expect("it is taken");
    }
    // It does not wait for what is done behind its back.
    std::process::exit(0);
}

fn short_lived_writers_keep_the_limit() {
    let directory = Directory::new();
    let mut most = 0;
    for number in 0..60 {
        output_of(start("write_one", directory.path(), number));
        most = most.max(directory.entries().len() as u64);
    }
    eprintln!("60 processes wrote 4 entries each: never more than {most} of {LIMIT} were there");
    // An eighth and some more are borne before writers make room themselves.
    assert!(most <= LIMIT + LIMIT / 8 + 20, "{most}");
}

/// Moves to and fro between two names in different shards.
async fn shift(cache: &Cache, rounds: usize) {
    let mut moved = 0;
    for round in 0..rounds {
        let (version, delta) = if round % 2 == 0 { (1, 1) } else { (2, -1) };
        match cache.at_version(version).aincr_version("key", delta).await {
            Ok(_) => moved += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
    print(&moved.to_string());
}

fn a_move_waits_for_no_other() {
    let directory = Directory::new();
    let cache = run(async { directory.cache().await });
    run(async {
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
    });
    let began = SystemClock.precise();
    let children: Vec<_> = (0..PROCESSES).map(|_| start("move", directory.path(), scaled(200))).collect();
    let moved: Vec<_> = children.into_iter().map(output_of).collect();
    eprintln!(
        "{PROCESSES} processes moved one entry to and fro in {:?}: {moved:?}",
        SystemClock.precise().since(began)
    );
    run(async {
        let mut left = 0;
        for version in [1, 2] {
            left += usize::from(cache.at_version(version).ahas_key("key").await.expect("it is answered"));
        }
        assert_eq!(left, 1, "one entry was moved about, and one is left");
    });
}

/// A process that may do no more than the modes of files say, also for root.
fn start_without_powers(role: &str, directory: &Path) -> Child {
    const SCRIPT: &str =
        r#"if [ "$(id -u)" = 0 ]; then exec setpriv --bounding-set=-all "$@"; else exec "$@"; fi"#;
    let program = env::current_exe().expect("this program has a path");
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).arg(program).arg(directory);
    command.env(ROLE, role).stdout(Stdio::piped()).spawn().expect("there is a shell")
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// As a command that another user ran once leaves an entry.
async fn fill_beside_unreadable(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let cache = cache_at(directory, &small(), Arc::new(SystemClock)).await;
    cache.aset("unreadable", "text", Timeout::Forever).await.expect("it is taken");
    let is_entry = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 40);
    let entries = || files_below(directory).into_iter().filter(is_entry).collect::<Vec<_>>();
    for entry in entries() {
        fs::set_permissions(entry, fs::Permissions::from_mode(0o000)).expect("it is ours");
    }
    cache.aget::<String>("unreadable").await.expect_err("it may not be read");
    for name in 0..500 {
        cache.aset(&name.to_string(), "text", Timeout::Forever).await.expect("it is taken");
    }
    for _ in 0..1_000 {
        if entries().len() as u64 <= LIMIT {
            break;
        }
        SystemClock.sleep_until(SystemClock.precise().after(Duration::from_millis(5))).await;
    }
    print(&entries().len().to_string());
    assert_eq!(cache.aget::<String>("unreadable").await.expect("it is gone"), None);
}

fn what_may_not_be_read_goes_first() {
    let directory = Directory::new();
    let left = output_of(start_without_powers("fill_beside_unreadable", directory.path()));
    assert!(left.parse::<u64>().expect("it is a number") <= LIMIT, "{left}");
}

fn shared() -> FsSettings {
    let mut settings = FsSettings::default();
    settings.eviction = Eviction::Lru;
    settings.sharing = Sharing::Group;
    settings
}

async fn use_once(directory: &Path) {
    let cache = cache_at(directory, &shared(), Arc::new(SystemClock)).await;
    assert_eq!(cache.aget::<String>("key").await.expect("it is read").as_deref(), Some("text"));
    cache.aclose().await.expect("it ends");
}

/// Only its owner may say when a file was used, but for just now.
fn uses_by_another_user_are_told() {
    let directory = Directory::new();
    run(async {
        let cache = cache_at(directory.path(), &shared(), Arc::new(SystemClock)).await;
        cache.aset("key", "text", Timeout::Forever).await.expect("it is taken");
    });
    let entry = directory.entry();
    std::os::unix::fs::chown(&entry, Some(4_001), None).expect("root may");
    let before = SystemClock.wall() - Duration::from_hours(1);
    fs::File::open(&entry).and_then(|file| file.set_modified(before)).expect("root may");
    output_of(start_without_powers("use", directory.path()));
    let used = entry.metadata().and_then(|metadata| metadata.modified()).expect("it is there");
    assert!(used > before + Duration::from_mins(59), "{used:?}");
}
