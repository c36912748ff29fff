//! Redis over TLS only, with a password.

use std::process::Command;

use anyhow::Result;

use super::{certificates::Certificates, command::keep_nothing, socket};
use crate::services::{service::Service, site::Site, url_path::url_path};

pub(crate) static REDIS_TLS: Service = Service {
    name: "redis-tls",
    program: "redis-server",
    package: "redis-server",
    variable: "CACHE_TEST_REDIS_TLS",
    servers: 1,
    takes_port: true,
    prepare,
    arguments,
    url,
    process_id: |site, within| socket::ask(site, Some(PASSWORD), within),
};

/// No secret: the server has nothing to protect, and tests are told it in the URL.
const PASSWORD: &str = "the-password-of-tests";

fn prepare(site: &Site) -> Result<()> {
    socket::check(site)?;
    Certificates::within(&site.data).make()
}

fn arguments(site: &Site, _: &[Site], command: &mut Command) {
    keep_nothing(site, command);
    let address = site.address();
    command.arg("--bind").arg(address.ip().to_string()).arg("--tls-port").arg(address.port().to_string());
    command.args(["--requirepass", PASSWORD, "--tls-auth-clients", "no"]);
    let files = Certificates::within(&site.data);
    command.arg("--tls-ca-cert-file").arg(&files.authority);
    command.arg("--tls-cert-file").arg(&files.certificate);
    command.arg("--tls-key-file").arg(&files.key);
    // For ourselves, who do not speak TLS. The server ends if it cannot have the port, so that an
    // answer here means that the port is its own.
    command.arg("--unixsocket").arg(socket::path(site));
}

fn url(site: &Site) -> String {
    // The name may stand for an address of IPv6 too, where nobody listens: clients try them all.
    format!(
        "rediss://:{PASSWORD}@localhost:{}/0?ssl_ca_certs={}",
        site.address().port(),
        url_path(&Certificates::within(&site.data).authority),
    )
}

#[cfg(test)]
mod tests {
    use super::url;
    use crate::services::site::Site;

    #[test]
    fn tests_are_told_whom_to_trust() {
        let site = Site { port: Some(6380), data: "/tmp/a b".into() };
        assert_eq!(
            url(&site),
            "rediss://:the-password-of-tests@localhost:6380/0?ssl_ca_certs=/tmp/a%20b/ca.pem"
        );
    }
}
