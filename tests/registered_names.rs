//! Backends, key functions, validators and codecs of the program's own.
#![cfg(feature = "mem")]

use std::sync::Arc;

use cache_sdk::core::{BoxError, Context, DummyStore, Opened};
use cache_sdk::{
    AliasSettings, Backend, Caches, Codec, ErrorKind, Registry, Result, Setting, SettingKind, Settings,
    Timeout,
};

/// Opens nothing special, but says what it was given.
#[derive(Debug)]
struct Elsewhere;

#[async_trait::async_trait]
impl Backend for Elsewhere {
    fn name(&self) -> &'static str {
        "acme.cache.Elsewhere"
    }

    fn options(&self) -> &'static [Setting] {
        const OPTIONS: &[Setting] = &[Setting::new("depth", SettingKind::Integer(1, 9), "1", "How deep.")];
        OPTIONS
    }

    async fn open(&self, settings: Settings, context: &Context) -> Result<Opened> {
        assert_eq!((&*context.alias, settings.integer("depth")), ("far", Some(3)));
        assert_eq!(settings.location(), ["there"]);
        Ok(Opened::Remote { leader: Arc::new(DummyStore), replicas: Vec::new() })
    }
}

#[tokio::test]
async fn a_backend_by_a_dotted_name() {
    let far = AliasSettings::new("acme.cache.Elsewhere").location(["there"]).option("depth", 3);
    let caches = Caches::builder().backend(Elsewhere).alias("far", far).open().await.expect("it is fine");
    let cache = caches.get("far").expect("it is there");
    cache.aset("key", &1, Timeout::Default).await.expect("a dummy takes all");
    assert!(cache.aping().await.is_ok());
}

#[tokio::test]
async fn a_key_function_and_a_validator() {
    let caches = Caches::builder()
        .key_function("lower", |key, prefix, version| format!("{prefix}/{version}/{}", key.to_lowercase()))
        .validator("short", |key| if key.len() > 12 { Err("the key is too long for us".to_owned()) } else { Ok(()) })
        .toml("[caches.default]\nbackend = 'mem'\nkey_prefix = 'p'\nkey_function = 'lower'\nkey_check = 'short'")
        .open()
        .await
        .expect("it is fine");
    let cache = caches.default().expect("it is there");
    cache.aset("Key", &1, Timeout::Default).await.expect("it is short");
    assert!(cache.ahas_key("KEY").await.expect("memory answers"));
    let error = cache.aset("a longer key", &1, Timeout::Default).await.expect_err("it is too long");
    assert_eq!(error.to_string(), "aset on cache `default` failed: invalid key: the key is too long for us");
    let error = cache.aclear().await.expect_err("keys of a prefix cannot be told");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`clear = \"all\"`"), "{error}");
}

#[tokio::test]
async fn clear_all_clears_under_a_key_function_too() {
    let caches = Caches::builder()
        .key_function("bare", |key, _, _| key.to_owned())
        .toml("[caches.default]\nbackend = 'mem'\nkey_function = 'bare'\nclear = 'all'")
        .open()
        .await
        .expect("it is fine");
    let cache = caches.default().expect("it is there");
    cache.aset("key", &1, Timeout::Default).await.expect("memory takes it");
    cache.aclear().await.expect("it was asked for by name");
    assert_eq!(cache.stats().entries, Some(0));
}

/// JSON with the bytes turned round.
#[derive(Debug)]
struct Backwards;

impl Codec for Backwards {
    fn encode(&self, value: &dyn erased_serde::Serialize, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let mut json = serde_json::to_vec(value)?;
        json.reverse();
        out.extend(json);
        Ok(())
    }

    fn decode<'a>(
        &self,
        bytes: &'a [u8],
        read: &mut dyn FnMut(&mut dyn erased_serde::Deserializer<'a>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let mut json = bytes.to_vec();
        json.reverse();
        let value: serde_json::Value = serde_json::from_slice(&json)?;
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(value))
    }
}

#[tokio::test]
async fn a_codec_is_read_by_every_alias_that_knows_its_tag() {
    let shared = |codec: &str| {
        AliasSettings::new("mem").location(["hall"]).set("codec", codec).option("values", "encoded")
    };
    let caches = Caches::builder()
        .codec("backwards", 0xA0, Backwards)
        .alias("one", shared("backwards"))
        .alias("other", shared("msgpack"))
        .open()
        .await
        .expect("it is fine");
    let (one, other) = (caches.get("one").expect("there"), caches.get("other").expect("there"));
    one.aset("key", "a-b", Timeout::Default).await.expect("memory takes it");
    assert_eq!(other.aget::<String>("key").await.expect("memory answers").as_deref(), Some("a-b"));
}

#[tokio::test]
async fn codecs_with_one_tag_or_a_tag_of_ours_are_refused() {
    let same = Caches::builder().codec("one", 0xA0, Backwards).codec("other", 0xA0, Backwards);
    let error = same.open().await.expect_err("one tag is one codec");
    assert!(error.to_string().ends_with("the codecs `one` and `other` have the same tag 0xa0"), "{error}");
    let ours = Caches::builder().codec("ours", 0x81, Backwards);
    let error = ours.open().await.expect_err("the tag is msgpack's");
    assert!(
        error.to_string().ends_with("the codec `ours` has the tag 0x81; its own are 0xa0 to 0xbf"),
        "{error}"
    );
}

#[tokio::test]
async fn a_registry_is_a_value() {
    let bare = Caches::builder().registry(Registry::empty()).alias("a", AliasSettings::new("dummy"));
    let error = bare.open().await.expect_err("nothing is registered");
    assert!(error.to_string().ends_with("there is no backend `dummy`; there are none"), "{error}");
}
