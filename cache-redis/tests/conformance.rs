//! The conformance suite on each server and on replicas, by each driver, with
//! single operations that travel together and without.

mod resp;
mod servers;
mod settled;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Context, ReplicaPolicy, RoutingSettings, Scope, SettingValue, Settings};
use cache_testkit::{Setup, Subject, Suite};

use crate::servers::{DRIVERS, Server, WAYS, open, replicated};
use crate::settled::Settled;

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for driver in DRIVERS {
        for server in Server::ALL {
            let name = format!("{driver}_{}", server.name());
            suite = suite.subject(subject(&name, move || server.settings(driver), open));
        }
        let pooled = move || Server::Plain.settings(driver).with("pool_size", SettingValue::Integer(3));
        suite = suite.subject(subject(&format!("{driver}_pool"), pooled, open));
    }
    for way in WAYS {
        let name = way.replace(", ", "_");
        suite = suite.subject(subject(&format!("{name}_replicas"), move || replicated(way), open_settled));
        if way.ends_with("batched") {
            let pooled = move || Server::Plain.settings(way).with("pool_size", SettingValue::Integer(2));
            let recent = move || replicated(way);
            suite = suite
                .subject(subject(&name, move || Server::Plain.settings(way), open))
                .subject(subject(&format!("{name}_pool"), pooled, open))
                .subject(subject(&format!("{name}_own_writes"), recent, open_own_writes));
        }
    }
    suite.run()
}

fn subject(
    name: &str,
    settings: impl Fn() -> Settings + Send + Sync + 'static,
    open: fn(&Settings, &Context) -> Arc<dyn AsyncCache>,
) -> Subject {
    let open = move |setup: Setup| {
        let settings = settings().with("connect_deadline", SettingValue::Duration(PATIENCE));
        async move {
            let mut context = setup.context().clone();
            // A machine that is busy with other tests is no server that is down.
            context.deadline = PATIENCE;
            let store = open(&settings, &context);
            // Of an earlier run, where the server has outlived that.
            store.aclear(&Scope::all()).await.expect("the server is there");
            store
        }
    };
    Subject::new(name, open).real_time().owns_store()
}

/// Each write waits until the replicas have it, so that reads from them have to
/// say what the suite expects.
fn open_settled(settings: &Settings, context: &Context) -> Arc<dyn AsyncCache> {
    let leader = settings.location()[0].clone();
    Arc::new(Settled::over(servers::open(settings, context), &leader))
}

/// What was written is read from the leader for as long as a case takes.
fn open_own_writes(settings: &Settings, context: &Context) -> Arc<dyn AsyncCache> {
    let routing = RoutingSettings::new().policy(ReplicaPolicy::RoundRobin).read_your_writes(10 * PATIENCE);
    servers::open_routed(settings, context, routing)
}
