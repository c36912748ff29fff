//! Processes of this machine, told apart for certain.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// When a process began, as text that no other process with the same id has.
///
/// `None` if there is no such process, or if it has ended and only waits to be collected.
pub(crate) fn birth(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") { birth_of_stat(pid) } else { birth_of_ps(pid) }
}

fn birth_of_stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain anything, also parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // The state is field 3 of the line and the start is field 22.
    let began = fields.nth(18)?;
    // It is counted from the start of the machine, so it repeats with the next one.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}:{began}", boot.trim()))
}

fn birth_of_ps(pid: u32) -> Option<String> {
    let pid = pid.to_string();
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid]).output().ok()?;
    let start = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !start.is_empty()).then_some(start)
}

/// Ends the process that was born then, first by asking; any other process is left alone.
pub(crate) fn end(pid: u32, born: &str) -> Result<()> {
    for signal in ["-TERM", "-KILL"] {
        if birth(pid).as_deref() != Some(born) {
            return Ok(());
        }
        // The shell has `kill` built in, while the program of that name is a package of its own.
        Command::new("sh")
            .args(["-c", "kill \"$0\" \"$1\"", signal, &pid.to_string()])
            .stderr(Stdio::null())
            .status()
            .context("cannot run sh")?;
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if birth(pid).as_deref() != Some(born) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    bail!("process {pid} does not end")
}

/// Takes a process out of the reach of the terminal's interrupt.
pub(crate) fn detach(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// This very program, also if its file has been replaced since it was started, as a build of the
/// workspace does.
pub(crate) fn this_program() -> Result<Command> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(Command::new(running));
    }
    let file = std::env::current_exe().context("cannot find this program")?;
    Ok(Command::new(file))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{birth, end};

    #[test]
    fn a_process_is_ended_only_under_its_own_birth() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep");
        let pid = child.id();
        let born = birth(pid).expect("it runs");

        end(pid, "of another process").expect("nothing to do");
        assert_eq!(birth(pid).as_deref(), Some(born.as_str()));

        end(pid, &born).expect("it ends");
        assert_eq!(birth(pid), None);
        child.wait().expect("it is collected");
    }
}
