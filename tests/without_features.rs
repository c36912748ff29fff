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
async fn so_is_the_path_of_a_backend_in_django_s_spelling() {
    const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
    const SUPPORTED: &str = "; supported are \
         `django.core.cache.backends.dummy.DummyCache`, `django.core.cache.backends.filebased.FileBasedCache`, \
         `dummy`, `fs`";
    for (setting, supported) in [("BACKEND", SUPPORTED), ("backend", "")] {
        let text = format!("[caches.default]\n{setting} = '{LOCMEM}'");
        let error = Caches::from_toml(&text).await.expect_err("memory is not compiled in");
        assert_eq!(
            error.to_string(),
            format!(
                "opening failed: configuration: alias `default`: `{LOCMEM}` needs the cargo feature `mem` of \
                 cache-sdk{supported}"
            )
        );
    }
}

#[tokio::test]
async fn the_dummy_is_always_there() {
    let caches = Caches::from_toml("[caches.default]\nbackend = 'dummy'").await.expect("it needs no feature");
    assert!(caches.default().is_ok());
}
