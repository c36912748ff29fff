//! The socket of Unix that a server has in its directory.

use std::path::PathBuf;

use crate::services::site::Site;

pub(crate) use self::system::{ask, check};

pub(crate) fn path(site: &Site) -> PathBuf {
    site.data.join("redis.sock")
}

#[cfg(unix)]
mod system {
    use std::{
        io,
        os::unix::net::{SocketAddr, UnixStream},
        time::Duration,
    };

    use anyhow::{Context as _, Result};

    use super::{super::dialogue::process_id, Site, path};

    /// Redis would cut a path that is too long, and listen at another one.
    pub(crate) fn check(site: &Site) -> Result<()> {
        let path = path(site);
        SocketAddr::from_pathname(&path)
            .with_context(|| format!("{} cannot be a socket: set TMPDIR to a short path", path.display()))?;
        Ok(())
    }

    /// Asks the server at the socket for its process.
    pub(crate) fn ask(site: &Site, password: Option<&str>, within: Duration) -> io::Result<u32> {
        let stream = UnixStream::connect(path(site))?;
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(within))?;
        process_id(stream, password)
    }
}

#[cfg(not(unix))]
mod system {
    use std::{io, time::Duration};

    use anyhow::{Result, bail};

    use super::Site;

    pub(crate) fn check(_: &Site) -> Result<()> {
        bail!("this system has no sockets of Unix")
    }

    pub(crate) fn ask(_: &Site, _: Option<&str>, _: Duration) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::check;
    use crate::services::site::Site;

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        // The limit differs between systems: 104 bytes or a few more.
        let of = |length| Site { port: None, data: "/".repeat(length).into() };
        check(&of(80)).expect("it fits");
        let error = check(&of(100)).expect_err("it does not fit").to_string();
        assert!(error.ends_with("set TMPDIR to a short path"), "{error}");
    }
}
