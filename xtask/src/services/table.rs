//! Which services there are, and which crates need them.

use anyhow::{Result, bail};

use super::{redis::REDIS, service::Service};

static SERVICES: &[&Service] = &[&REDIS];

/// The crates whose tests talk to servers, each with the names of its services.
static NEEDS: &[(&str, &[&str])] = &[];

/// The services with these names, or all if none is named.
pub(crate) fn select(names: &[String]) -> Result<Vec<&'static Service>> {
    for name in names {
        if !SERVICES.iter().any(|service| service.name == name) {
            let known: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
            bail!("no service `{name}`; there are {}", known.join(", "));
        }
    }
    Ok(of_names(|service| names.is_empty() || names.iter().any(|name| name == service)))
}

/// The services that the tests of these crates need.
pub(crate) fn needed_by<'a>(crates: impl Iterator<Item = &'a str>) -> Vec<&'static Service> {
    let mut needed: Vec<&str> = Vec::new();
    for name in crates {
        let of_crate = NEEDS.iter().filter(|(needing, _)| *needing == name);
        needed.extend(of_crate.flat_map(|(_, services)| services.iter().copied()));
    }
    of_names(|service| needed.contains(&service))
}

fn of_names(wanted: impl Fn(&str) -> bool) -> Vec<&'static Service> {
    SERVICES.iter().copied().filter(|service| wanted(service.name)).collect()
}
