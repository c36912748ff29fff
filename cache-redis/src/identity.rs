//! Who this side is to a server.

use std::path::PathBuf;

use cache_core::{Error, ErrorKind, Result};

use crate::driver::Credentials;
use crate::secret::Secret;

/// Who connects, to which of the server's databases, and by which name.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) username: Option<String>,
    pub(crate) password: Password,
    pub(crate) database: i64,
    pub(crate) client_name: Option<String>,
}

/// Where the password comes from.
#[derive(Clone, Debug)]
pub(crate) enum Password {
    None,
    Fixed(Secret),
    /// It is read for each connection anew, so that one that has changed needs
    /// no restart.
    File(PathBuf),
}

impl Identity {
    /// What a connection that is made now has to say.
    pub(crate) async fn credentials(&self) -> Result<Credentials> {
        let password = match &self.password {
            Password::None => None,
            Password::Fixed(password) => Some(password.clone()),
            Password::File(path) => {
                let text = tokio::fs::read_to_string(path).await.map_err(|error| {
                    Error::new(ErrorKind::Auth, "`password_file` cannot be read").with_source(error)
                })?;
                Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
            }
        };
        Ok(Credentials { username: self.username.clone(), password })
    }
}
