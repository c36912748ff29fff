//! What in `docs/` is made from the tables of the code still says what they say.
//!
//! `UPDATE_EXPECT=1 cargo test --test documents` writes the files anew.
#![cfg(all(feature = "mem", feature = "redis"))]

mod django;
mod settings;
mod table;

use cache_sdk::Registry;
use expect_test::expect_file;

/// Stands at the top of each page.
const MADE: &str = "<!-- Made from the tables of the code by `UPDATE_EXPECT=1 cargo test --test documents`; the prose \
                    is in `tests/documents/`. -->\n\n";

#[test]
fn settings() {
    expect_file!["../../docs/settings.md"].assert_eq(&format!("{MADE}{}", settings::page()));
}

#[tokio::test]
async fn django_settings() {
    expect_file!["../../docs/django-settings.md"].assert_eq(&format!("{MADE}{}", django::page().await));
}

#[test]
fn schema() {
    let mut schema = Registry::new().json_schema();
    // Whether its order is kept depends on what else is compiled.
    schema.sort_all_objects();
    let text = serde_json::to_string_pretty(&schema).expect("it is JSON");
    expect_file!["../../docs/caches.schema.json"].assert_eq(&format!("{text}\n"));
}
