//! Finding the program of a server, and installing it where that is possible.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::service::Service;
use crate::watch::{Show, watch};

/// The program of a service.
pub(crate) fn program(service: &Service) -> Result<PathBuf> {
    if let Some(program) = find(service.program) {
        return Ok(program);
    }
    if find("apt-get").is_none() || !is_root() {
        bail!(
            "{program} is not installed: run `sudo apt-get install {package}`, or install your \
             system's package with the program {program}, so that it is on the PATH",
            program = service.program,
            package = service.package,
        );
    }
    // Two runs side by side would both find it missing.
    let file = env::temp_dir().join("cache-sdk-install.lock");
    let lock = File::create(&file).with_context(|| format!("cannot open {}", file.display()))?;
    lock.lock().context("cannot lock the installation")?;
    if find(service.program).is_none() {
        install(service.package)?;
    }
    find(service.program).with_context(|| {
        format!("{} was installed, but {} is not on the PATH", service.package, service.program)
    })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|candidate| candidate.is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn install(package: &str) -> Result<()> {
    eprintln!("installing {package} ...");
    apt_get(&["update"])?;
    let _no_services = NoServices::declare(Path::new("/usr/sbin/policy-rc.d"))?;
    apt_get(&["install", "-y", "--no-install-recommends", package])?;
    if find("systemctl").is_some() {
        // Not started now, nor when the machine starts next; a unit of another name, or no
        // service at all, is no reason to fail.
        let _ = Command::new("systemctl").args(["disable", "--quiet", package]).output();
    }
    Ok(())
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
    let label = format!("apt-get {}", args.join(" "));
    let ended = watch(command, &label, Show::Progress)?;
    if !ended.success {
        bail!("{label} failed:\n{}", ended.text);
    }
    Ok(())
}

/// While this lives, installing a package starts none of its services.
///
/// A policy that the machine has already is put back afterwards.
#[derive(Debug)]
struct NoServices {
    policy: PathBuf,
    former: Option<PathBuf>,
}

impl NoServices {
    fn declare(policy: &Path) -> Result<Self> {
        let former = policy.with_extension("d.former");
        // Found there only if an earlier installation was killed: then the policy is our own.
        if policy.exists() && !former.exists() {
            fs::rename(policy, &former).context("cannot set the policy for services aside")?;
        }
        let declared = Self { policy: policy.to_owned(), former: former.exists().then_some(former) };
        // Invoke-rc.d takes 101 for "not allowed", which is no error of the installation.
        fs::write(policy, "#!/bin/sh\nexit 101\n").context("cannot write a policy for services")?;
        let mut command = Command::new("chmod");
        let status = command.arg("755").arg(policy).status().context("cannot run chmod")?;
        if !status.success() {
            bail!("cannot make {} executable", policy.display());
        }
        Ok(declared)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match &self.former {
            Some(former) => fs::rename(former, &self.policy),
            None => fs::remove_file(&self.policy),
        };
        if let Err(error) = restored {
            eprintln!("cannot restore {}: {error}", self.policy.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::NoServices;

    #[test]
    fn the_policy_is_put_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let policy = directory.path().join("policy-rc.d");

        drop(NoServices::declare(&policy).expect("none so far"));
        assert!(!policy.exists());

        fs::write(&policy, "of the machine").expect("it is written");
        let declared = NoServices::declare(&policy).expect("one is there");
        assert_ne!(fs::read_to_string(&policy).expect("it is read"), "of the machine");
        drop(declared);
        assert_eq!(fs::read_to_string(&policy).expect("it is read"), "of the machine");
        assert_eq!(fs::read_dir(directory.path()).expect("it is listed").count(), 1);
    }
}
