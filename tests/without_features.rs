//! Without any cargo feature there is still the dummy, and a clear word about
//! what is missing.
#![cfg(not(feature = "mem"))]

use cache_sdk::Caches;

#[tokio::test]
async fn a_backend_whose_feature_is_off_is_named_with_its_feature() {
    for builder in [Caches::builder(), Caches::builder().toml("[caches.default]\nbackend = 'mem'")] {
        let error = builder.open().await.expect_err("memory is not compiled in");
        assert_eq!(
            error.to_string(),
            "opening failed: configuration: alias `default`: the backend `mem` needs the cargo feature `mem` of \
             cache-sdk"
        );
    }
}

#[tokio::test]
async fn the_dummy_is_always_there() {
    let caches = Caches::from_toml("[caches.default]\nbackend = 'dummy'").await.expect("it needs no feature");
    assert!(caches.default().is_ok());
}
