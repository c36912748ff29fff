//! Opens what cannot be used, and pins what is said of it.
#![allow(clippy::print_stdout, reason = "`--nocapture` shows every message")]

use cache_sdk::{CachesBuilder, ErrorKind};

pub(crate) const PASSWORD: &str = "hunter2";

/// Opens, fails, and says so in these words; the password is in none of them.
pub(crate) async fn refused(builder: CachesBuilder, message: &str) {
    let debug = format!("{builder:?}");
    let error = builder.open().await.expect_err("this cannot be used");
    println!("{error}");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), format!("opening failed: configuration: {message}"));
    for text in [debug, format!("{error:?}"), error.to_string()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
