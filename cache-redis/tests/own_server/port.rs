//! A port that is one server's for as long as it may want it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;

/// Nobody else gets it, in this program or in one that runs beside it, also
/// while the server is down: a test whose server is dead would otherwise talk
/// to the server of another test.
pub(super) struct Port {
    number: u16,
    /// Of an empty file that tells all test programs who has the port. It stays
    /// where it is: who removed it could take it from under the next owner.
    _lock: File,
}

/// Below those that the kernel hands out: a client that tries to reach a port
/// of those while nobody listens may be connected to itself.
const PORTS: Range<u16> = 12_000..14_000;

impl Port {
    pub(super) fn any() -> Self {
        let attempts = 10 * PORTS.len();
        (0..attempts).find_map(|_| Self::reserve(fastrand::u16(PORTS))).expect("a port is free")
    }

    /// `None` where somebody has it.
    pub(super) fn reserve(number: u16) -> Option<Self> {
        let directory = std::env::temp_dir().join("cache-sdk-test-ports");
        fs::create_dir_all(&directory).expect("there is room for files");
        let lock = File::create(directory.join(number.to_string())).ok()?;
        lock.try_lock().ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _lock: lock })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}
