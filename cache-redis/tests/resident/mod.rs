//! How much memory the test program takes.

/// The resident set of this process, as the kernel counts it.
pub(crate) fn bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("these tests run on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
    let kibibytes: usize = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kibibytes * 1024
}
