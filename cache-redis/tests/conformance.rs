//! The conformance suite on each server, by each driver.

mod servers;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{AsyncCache, Scope, SettingValue, Settings};
use cache_testkit::{Setup, Subject, Suite};

use crate::servers::{DRIVERS, Server};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for driver in DRIVERS {
        for server in Server::ALL {
            let name = format!("{driver}_{}", server.name());
            suite = suite.subject(subject(&name, move || server.settings(driver)));
        }
        let pooled = move || Server::Plain.settings(driver).with("pool_size", SettingValue::Integer(3));
        suite = suite.subject(subject(&format!("{driver}_pool"), pooled));
    }
    suite.run()
}

fn subject(name: &str, settings: impl Fn() -> Settings + Send + Sync + 'static) -> Subject {
    let open = move |setup: Setup| {
        let settings = settings().with("connect_deadline", SettingValue::Duration(PATIENCE));
        async move {
            let mut context = setup.context().clone();
            // A machine that is busy with other tests is no server that is down.
            context.deadline = PATIENCE;
            let store = servers::open(&settings, &context);
            // Of an earlier run, where the server has outlived that.
            store.aclear(&Scope::all()).await.expect("the server is there");
            store as Arc<dyn AsyncCache>
        }
    };
    Subject::new(name, open).real_time().owns_store()
}
