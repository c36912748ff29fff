//! Every mistake that a user can make in a configuration, and the message that
//! it gets: the alias, the setting, what would be accepted, and no value.
#![cfg(all(feature = "mem", feature = "redis"))]

mod refused;

use std::ffi::OsString;

use cache_sdk::core::{Context, Opened};
use cache_sdk::{AliasSettings, Backend, Caches, CachesBuilder, Result, Settings};

use crate::refused::{PASSWORD, refused};

fn toml(text: &str) -> CachesBuilder {
    Caches::builder().toml(text)
}

fn env(builder: CachesBuilder, name: &str, value: &str) -> CachesBuilder {
    builder.env_from([(OsString::from(name), OsString::from(value))])
}

#[tokio::test]
async fn an_unknown_setting() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\ntimeuot = 5"),
        "alias `default`: `timeuot` is not a setting; did you mean `timeout`?",
    )
    .await;
}

#[tokio::test]
async fn an_unknown_option() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\noptions.max_entrys = 5"),
        "alias `default`: `max_entrys` is not an option of `mem`; accepted: `max_entries`, `max_bytes`, `eviction`, `cull_frequency`, `values`, `check_encoding`; did you mean `max_entries`?",
    )
    .await;
}

#[tokio::test]
async fn an_option_outside_of_options() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nmax_entries = 5"),
        "alias `default`: `max_entries` is not a setting; it is an option, and belongs under `options`",
    )
    .await;
}

#[tokio::test]
async fn an_option_of_a_backend_that_has_none() {
    refused(
        toml("[caches.default]\nbackend = 'dummy'\noptions.size = 5"),
        "alias `default`: `size` is not an option of `dummy`; accepted: none",
    )
    .await;
}

#[tokio::test]
async fn a_value_of_the_wrong_type() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nversion = 'hunter2'"),
        "alias `default`: `version`: expected a whole number from 0, found text",
    )
    .await;
}

#[tokio::test]
async fn a_number_that_is_not_whole_and_one_that_is_out_of_range() {
    for (number, found) in [
        ("1.5", "a number with a fraction"),
        ("-1.5", "a number with a fraction"),
        ("-1.0", "a number out of range"),
        ("-1", "a number out of range"),
        ("1e300", "a number out of range"),
    ] {
        refused(
            toml(&format!("[caches.default]\nbackend = 'mem'\nversion = {number}")),
            &format!("alias `default`: `version`: expected a whole number from 0, found {found}"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_word_that_is_not_one_of_those_accepted() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\non_error = 'hunter2'"),
        "alias `default`: `on_error`: expected one of \"error\", \"miss\", found text",
    )
    .await;
}

#[tokio::test]
async fn a_timeout_that_is_none() {
    let expected = "expected seconds as a number from 0, text such as \"500ms\" or \"2h\", or \"forever\"";
    for (value, found) in
        [("'soon'", "text"), ("-1", "a number out of range"), ("true", "true or false"), ("[1]", "a list")]
    {
        refused(
            toml(&format!("[caches.default]\nbackend = 'mem'\ntimeout = {value}")),
            &format!("alias `default`: `timeout`: {expected}, found {found}"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_deadline_of_zero() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\ndeadline = 0"),
        "alias `default`: `deadline`: expected a time above zero: seconds as a number, or text such as \"500ms\", found a number out of range",
    )
    .await;
}

#[tokio::test]
async fn a_load_deadline_of_zero() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nload_deadline = 0"),
        "alias `default`: `load_deadline`: expected a time above zero: seconds as a number, or text such as \"500ms\", found a number out of range",
    )
    .await;
}

#[tokio::test]
async fn a_jitter_that_is_no_share() {
    for (value, found) in [
        ("1.5", "a number out of range"),
        ("-0.1", "a number out of range"),
        ("2", "a number out of range"),
        ("'much'", "text"),
        ("'0.1'", "text"),
        ("nan", "text"),
        ("true", "true or false"),
    ] {
        refused(
            toml(&format!("[caches.default]\nbackend = 'mem'\njitter = {value}")),
            &format!("alias `default`: `jitter`: expected a number from 0 to 1, found {found}"),
        )
        .await;
    }
    for text in ["1.5", "-0.1", "much", "10%", "NaN", "", PASSWORD] {
        refused(
            env(toml("[caches.default]\nbackend = 'mem'"), "CACHES__DEFAULT__JITTER", text),
            "alias `default`: `CACHES__DEFAULT__JITTER`: expected a number from 0 to 1",
        )
        .await;
    }
}

#[tokio::test]
async fn an_unknown_backend() {
    refused(
        toml("[caches.default]\nbackend = 'men'"),
        "alias `default`: there is no backend `men`; there are `dummy`, `fs`, `mem`, `redis`; did you mean `mem`?",
    )
    .await;
    refused(
        toml("[caches.default]\nbackend = 'path.to.backend'"),
        "alias `default`: there is no backend `path.to.backend`; there are `dummy`, `fs`, `mem`, `redis`",
    )
    .await;
}

#[tokio::test]
async fn a_url_where_a_backend_is_named() {
    refused(
        toml("[caches.default]\nbackend = 'redis://:hunter2@localhost'"),
        "alias `default`: there is no backend; there are `dummy`, `fs`, `mem`, `redis`",
    )
    .await;
}

#[tokio::test]
async fn no_backend() {
    refused(toml("[caches.default]\ntimeout = 5"), "alias `default`: `backend` is missing").await;
}

#[tokio::test]
async fn an_alias_twice_in_toml() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\n[caches.default]\nbackend = 'dummy'"),
        "a key stands twice (line 3, column 9)",
    )
    .await;
}

#[tokio::test]
async fn an_alias_twice_in_json() {
    refused(
        Caches::builder().json(r#"{"default": {"backend": "mem"}, "default": {"backend": "dummy"}}"#),
        "the key `default` stands twice (line 1, column 64)",
    )
    .await;
}

#[tokio::test]
async fn an_alias_in_two_sources() {
    refused(
        toml("[caches.pages]\nbackend = 'mem'").alias("pages", AliasSettings::new("dummy")),
        "alias `pages`: it is configured twice",
    )
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read() {
    refused(
        Caches::builder().toml_file("no/such/caches.toml"),
        "`no/such/caches.toml` cannot be read: entity not found",
    )
    .await;
}

#[tokio::test]
async fn a_password_in_a_broken_url_in_toml() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nlocation = 'redis://:hunter2@localhost:6379"),
        "this is not valid TOML (line 3, column 44)",
    )
    .await;
}

#[tokio::test]
async fn a_password_in_a_broken_url_in_json() {
    refused(
        Caches::builder().json("{\"default\": {\"location\": \"redis://:hunter2@localhost\\x\"}}"),
        "this is not valid JSON (line 1, column 54)",
    )
    .await;
}

#[tokio::test]
async fn a_password_in_a_place_that_is_no_text() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nlocation = { url = 'redis://:hunter2@localhost' }"),
        "alias `default`: `location`: expected text or a list of texts, found a table",
    )
    .await;
}

#[tokio::test]
async fn an_environment_variable_of_no_setting() {
    refused(
        env(toml("[caches.default]\nbackend = 'dummy'"), "CACHES__DEFAULT__OPTIONS__SIZE", PASSWORD),
        "alias `default`: `CACHES__DEFAULT__OPTIONS__SIZE` names no setting; accepted: none",
    )
    .await;
    refused(
        env(toml("[caches.default]\nbackend = 'mem'"), "CACHES__DEFAULT__OPTIONS__MAX_ENTRYS", "5"),
        "alias `default`: `CACHES__DEFAULT__OPTIONS__MAX_ENTRYS` names no setting; accepted: `max_entries`, `max_bytes`, `eviction`, `cull_frequency`, `values`, `check_encoding`; did you mean `max_entries`?",
    )
    .await;
}

#[tokio::test]
async fn an_environment_variable_of_no_alias() {
    refused(
        env(toml("[caches.default]\nbackend = 'mem'"), "CACHES__DEFUALT__TIMEOUT", "5"),
        "environment variable `CACHES__DEFUALT__TIMEOUT`: `defualt` is no alias; there are `default`, and a new one needs its __BACKEND set; did you mean `default`?",
    )
    .await;
    refused(
        env(toml("[caches.default]\nbackend = 'mem'"), "CACHES__DEFAULT", "5"),
        "environment variable `CACHES__DEFAULT`: it names an alias, but no setting of it",
    )
    .await;
}

#[tokio::test]
async fn an_environment_variable_with_a_bad_value() {
    refused(
        env(toml("[caches.default]\nbackend = 'mem'"), "CACHES__DEFAULT__TIMEOUT", PASSWORD),
        "alias `default`: `CACHES__DEFAULT__TIMEOUT`: expected seconds as a number from 0, text such as \"500ms\" or \"2h\", or \"forever\"",
    )
    .await;
}

#[tokio::test]
async fn an_environment_variable_that_could_mean_two_aliases() {
    refused(
        env(
            toml("[caches.Pages]\nbackend = 'mem'\n[caches.pages]\nbackend = 'mem'"),
            "CACHES__PAGES__TIMEOUT",
            "5",
        ),
        "environment variable `CACHES__PAGES__TIMEOUT`: `Pages`, `pages` differ only in case, so it is not clear which is meant",
    )
    .await;
}

#[tokio::test]
async fn two_environment_variables_of_one_setting() {
    let builder = toml("[caches.default]\nbackend = 'mem'").env_from([
        (OsString::from("CACHES__DEFAULT__VERSION"), OsString::from("6")),
        (OsString::from("caches__default__version"), OsString::from("7")),
    ]);
    refused(
        builder,
        "environment variable `caches__default__version`: `CACHES__DEFAULT__VERSION` sets the same",
    )
    .await;
}

#[tokio::test]
async fn names_that_nobody_registered() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nkey_function = 'lower'"),
        "alias `default`: there is no key function `lower`; there are `default`",
    )
    .await;
    refused(
        toml("[caches.default]\nbackend = 'mem'\nkey_check = 'wran'"),
        "alias `default`: there is no key check `wran`; there are `off`, `warn`, `error`; did you mean `warn`?",
    )
    .await;
    refused(
        toml("[caches.default]\nbackend = 'mem'\ncodec = 'msgpck'"),
        "alias `default`: there is no codec `msgpck`; there are `msgpack`, `json`, `postcard`, `raw`; did you mean `msgpack`?",
    )
    .await;
}

#[tokio::test]
async fn settings_that_do_not_go_together() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\ncodec = 'postcard'"),
        "alias `default`: the codec `postcard` needs `schema`, a number to raise with every change of a type",
    )
    .await;
    refused(
        toml("[caches.default]\nbackend = 'mem'\nplain = true"),
        "alias `default`: `plain` needs the codec `json` or `raw`",
    )
    .await;
}

#[tokio::test]
async fn aliases_of_one_location_that_disagree() {
    refused(
        toml(
            "[caches.a]\nbackend = 'mem'\nlocation = 'hall'\noptions.max_entries = 5\n[caches.b]\nbackend = 'mem'\nlocation = 'hall'\noptions.max_entries = 6",
        ),
        "alias `b`: `max_entries` is 6, but another alias opened the same `location` with 5; give both the same",
    )
    .await;
}

#[tokio::test]
async fn a_list_where_one_location_is_meant() {
    refused(
        toml("[caches.default]\nbackend = 'mem'\nlocation = ['a', 'b']"),
        "alias `default`: `location` of `mem` is one name, not a list",
    )
    .await;
}

#[tokio::test]
async fn shapes_that_hold_no_aliases() {
    refused(Caches::builder().json("[]"), "a table of aliases is expected at the top").await;
    for text in ["", " \n", "\u{feff}\n"] {
        refused(Caches::builder().json(text), "this is empty: without any aliases JSON is `{}`").await;
    }
    refused(toml("caches = 5"), "`caches` has to be a table of aliases").await;
    refused(toml("[caches]\ndefault = 'mem'"), "alias `default` has to be a table of settings").await;
    refused(
        toml("[caches.default]\nbackend = 'mem'\noptions = 5"),
        "alias `default`: `options` has to be a table",
    )
    .await;
    refused(
        toml("[caches.default]\nbackend = 5"),
        "alias `default`: `backend` has to be the name of a backend, as text",
    )
    .await;
}

#[tokio::test]
async fn aliases_under_a_root_of_another_name() {
    refused(toml("CACHES = 5"), "`CACHES` has to be a table of aliases").await;
    refused(
        toml("[caches.a]\nbackend = 'mem'\n[CACHES.b]\nBACKEND = 'mem'"),
        "`caches`, `CACHES` are both there: write one of them",
    )
    .await;
    let message = "`Caches` holds aliases, which stand under `caches` or `CACHES`";
    refused(toml("[Caches.a]\nbackend = 'mem'"), message).await;
    refused(Caches::builder().json(r#"{"Caches": {"a": {"BACKEND": "mem"}}}"#), message).await;
}

#[tokio::test]
async fn names_are_shown_on_one_line_and_not_at_any_length() {
    refused(
        toml("[caches.\"a\\nb\"]\nbackend = 'mem'\n\"c\\u001b[31m\" = 5"),
        "alias `a\\nb`: `c\\u{1b}[31m` is not a setting",
    )
    .await;
    let long = "x".repeat(100);
    let sixty = "x".repeat(60);
    refused(
        toml(&format!("[caches.{long}]\nbackend = '{long}'\n{long} = 1\noptions.{long} = 1")),
        &format!(
            "2 problems: alias `{sixty}..`: there is no backend `{sixty}..`; there are `dummy`, `fs`, `mem`, `redis`; alias `{sixty}..`: `{sixty}..` is not a setting"
        ),
    )
    .await;
    refused(
        Caches::builder().json(&format!("{{\"{long}\": 1, \"{long}\": 2}}")),
        &format!("the key `{sixty}..` stands twice (line 1, column 214)"),
    )
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    refused(
        toml("[caches.a]\nbackend = 'mem'\ntimeuot = 5\nversion = -1\n[caches.b]\nbackend = 'men'\ncodec = 'jsno'"),
        "4 problems: alias `a`: `timeuot` is not a setting; did you mean `timeout`?; alias `a`: `version`: expected a whole number from 0, found a number out of range; alias `b`: there is no backend `men`; there are `dummy`, `fs`, `mem`, `redis`; did you mean `mem`?; alias `b`: there is no codec `jsno`; there are `msgpack`, `json`, `postcard`, `raw`; did you mean `json`?",
    )
    .await;
}

#[tokio::test]
async fn registered_names_that_clash() {
    let upper = |key: &str, _: &str, _: u64| key.to_uppercase();
    refused(
        Caches::builder().key_function("upper", upper).key_function("upper", upper),
        "a key function `upper` is registered already",
    )
    .await;
    refused(
        Caches::builder().key_function("default", upper),
        "`default` is a key function of the library's own",
    )
    .await;
    refused(Caches::builder().backend(Unopened), "a backend `mem` is registered already").await;
}

#[tokio::test]
async fn an_alias_that_there_is_not() {
    let caches = toml("[caches.pages]\nbackend = 'mem'").open().await.expect("it is fine");
    let message = |alias| caches.get(alias).expect_err("there is none").to_string();
    assert_eq!(
        message("page"),
        "opening failed: configuration: there is no alias `page`; there are `pages`; did you mean `pages`?"
    );
    assert_eq!(
        caches.default().expect_err("there is none").to_string(),
        "opening failed: configuration: there is no alias `default`; there are `pages`"
    );
}

/// A store elsewhere, with a replica.
#[derive(Debug)]
struct Unopened;

#[async_trait::async_trait]
impl Backend for Unopened {
    fn name(&self) -> &'static str {
        "mem"
    }

    async fn open(&self, _: Settings, _: &Context) -> Result<Opened> {
        let store = || std::sync::Arc::new(cache_sdk::core::DummyStore);
        Ok(Opened::Remote { leader: store(), replicas: vec![store()] })
    }
}
