//! Calls that are not to be made: unfinished code, panics outside tests, and time that no test
//! can set.

use super::{
    code::lines_with,
    finding::Findings,
    tree::{Source, Tree},
};

/// Not anywhere.
static NEVER: &[(&str, &str)] = &[
    ("#[ignore", "a test that is not run proves nothing: make it run or remove it"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("dbg!(", "remove it"),
];

const UNWRAP: &str = ".unwrap()";

/// Not in libraries, which take the time from the clock that they are given.
static TIME: &[&str] = &["Instant::now", "SystemTime::now", "time::sleep", "thread::sleep"];

/// The files of libraries in which the time is taken, or passes, for all others.
static CLOCKS: &[&str] = &[
    "cache-core/src/clock.rs",
    "cache-core/src/clock/",
    "cache-testkit/src/clock.rs",
    "cache-testkit/src/manual_clock.rs",
    "cache-testkit/src/time.rs",
];

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for source in &tree.sources {
        check_never(source, findings);
        if !source.is_test() {
            check_unwrap(source, findings);
        }
        if tree.in_library(&source.path) && !source.is_test() {
            check_time(source, findings);
        }
    }
}

fn check_never(source: &Source, findings: &mut Findings) {
    for (pattern, what_to_do) in NEVER {
        for line in lines_with(&source.code, pattern) {
            findings.add(&source.path, line, format!("`{pattern}`: {what_to_do}"));
        }
    }
}

fn check_unwrap(source: &Source, findings: &mut Findings) {
    for line in lines_with(&source.live, UNWRAP) {
        let message = format!("`{UNWRAP}`: return the error, or `expect` with why it cannot happen");
        findings.add(&source.path, line, message);
    }
}

fn check_time(source: &Source, findings: &mut Findings) {
    if CLOCKS.iter().any(|clock| source.path.starts_with(clock)) {
        return;
    }
    for pattern in TIME {
        for line in lines_with(&source.live, pattern) {
            let message = format!("`{pattern}`: take the time from the clock, which tests can set");
            findings.add(&source.path, line, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{check_never, check_time, check_unwrap};
    use crate::tidy::{finding::Findings, tree::Source};

    fn lines(check: fn(&Source, &mut Findings), path: &str, text: &str) -> Vec<usize> {
        let mut findings = Findings::default();
        check(&Source::new(path, text), &mut findings);
        findings.of_path(path).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn unfinished_code_is_found_also_in_tests() {
        let text = "#[cfg(test)]\nmod tests {\n#[test]\n#[ignore = \"slow\"]\nfn a() { todo!() }\n}";
        assert_eq!(lines(check_never, "a.rs", text), [4, 5]);
        assert!(lines(check_never, "a.rs", "// dbg!(x)\n\"todo!()\";").is_empty());
    }

    #[test]
    fn unwrap_is_found_outside_tests() {
        let text = "/// x.unwrap()\nfn a() { b.unwrap() }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }";
        assert_eq!(lines(check_unwrap, "a.rs", text), [2]);
        assert!(lines(check_unwrap, "a.rs", "b.unwrap_or(1)").is_empty());
    }

    #[test]
    fn time_passes_in_the_clock_alone() {
        let text = "let a = Instant::now();\ntokio::time::sleep(b).await;";
        assert_eq!(lines(check_time, "cache-mem/src/a.rs", text), [1, 2]);
        assert!(lines(check_time, "cache-core/src/clock/system.rs", text).is_empty());
    }
}
