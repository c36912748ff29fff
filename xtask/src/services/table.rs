//! Which services there are, and which crates need them.

use anyhow::{Result, bail};

use super::{
    redis::{REDIS, REDIS_REPLICAS, REDIS_TLS, REDIS_UNIX},
    service::Service,
};

static SERVICES: &[&Service] = &[&REDIS, &REDIS_TLS, &REDIS_UNIX, &REDIS_REPLICAS];

/// The crates whose tests talk to servers, each with the names of its services.
static NEEDS: &[(&str, &[&str])] =
    &[("cache-redis", &["redis", "redis-tls", "redis-unix", "redis-replicas"]), ("cache-sdk", &["redis"])];

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

#[cfg(test)]
mod tests {
    use super::{NEEDS, SERVICES, needed_by, select};
    use crate::services::service::Service;

    fn names(services: &[&Service]) -> Vec<&'static str> {
        services.iter().map(|service| service.name).collect()
    }

    #[test]
    fn every_need_is_a_service() {
        for (needing, needed) in NEEDS {
            assert_eq!(needed_by([*needing].into_iter()).len(), needed.len(), "{needing}");
        }
    }

    #[test]
    fn crates_that_need_the_same_service_share_it() {
        let needed = needed_by(["cache-sdk", "cache-redis", "cache-mem"].into_iter());
        assert_eq!(names(&needed), ["redis", "redis-tls", "redis-unix", "redis-replicas"]);
        assert_eq!(names(&needed_by(["cache-sdk"].into_iter())), ["redis"]);
        assert!(needed_by(["cache-mem"].into_iter()).is_empty());
    }

    #[test]
    fn services_are_selected_by_their_whole_names() {
        assert_eq!(select(&[]).expect("all").len(), SERVICES.len());
        assert_eq!(names(&select(&["redis".to_owned()]).expect("one")), ["redis"]);
        let error = select(&["redi".to_owned()]).expect_err("there is none").to_string();
        assert_eq!(error, "no service `redi`; there are redis, redis-tls, redis-unix, redis-replicas");
    }
}
