//! The examples of `CACHES` in the documentation of Django 6.0.10 and of
//! django-redis 7.0.0, as `json.dumps` writes them. Passwords are ours, and so
//! are those that say so.

use serde_json::{Value as Json, json};

/// Stands wherever an example has a password.
pub(crate) const PASSWORD: &str = "hunter2";

pub(crate) struct Example {
    pub(crate) name: &'static str,
    /// A map of aliases.
    pub(crate) caches: Json,
    /// What an error names as missing; `None` where it loads.
    pub(crate) missing: Option<&'static str>,
}

const PYMEMCACHE: &str = "django.core.cache.backends.memcached.PyMemcacheCache";
const PYLIBMC: &str = "django.core.cache.backends.memcached.PyLibMCCache";
const REDIS: &str = "django.core.cache.backends.redis.RedisCache";
const DATABASE: &str = "django.core.cache.backends.db.DatabaseCache";
const FILES: &str = "django.core.cache.backends.filebased.FileBasedCache";
const LOCMEM: &str = "django.core.cache.backends.locmem.LocMemCache";
const DUMMY: &str = "django.core.cache.backends.dummy.DummyCache";
const DJANGO_REDIS: &str = "django_redis.cache.RedisCache";

/// Those of Django's own documentation, in its order: topics/cache, then
/// ref/settings.
pub(crate) fn of_django() -> Vec<Example> {
    let example = |name, backend: &'static str, alias| of(name, backend, alias, not_yet(backend));
    vec![
        example("memcached", PYMEMCACHE, json!({"LOCATION": "127.0.0.1:11211"})),
        example("memcached at a unix socket", PYMEMCACHE, json!({"LOCATION": "unix:/tmp/memcached.sock"})),
        example(
            "memcached on two servers",
            PYMEMCACHE,
            json!({"LOCATION": ["172.19.26.240:11211", "172.19.26.242:11211"]}),
        ),
        example(
            "memcached on three ports",
            PYMEMCACHE,
            json!({"LOCATION": ["172.19.26.240:11211", "172.19.26.242:11212", "172.19.26.244:11213"]}),
        ),
        example("redis", REDIS, json!({"LOCATION": "redis://127.0.0.1:6379"})),
        example(
            "redis with user and password",
            REDIS,
            json!({"LOCATION": format!("redis://username:{PASSWORD}@127.0.0.1:6379")}),
        ),
        example(
            "redis with replicas",
            REDIS,
            json!({"LOCATION": [
                "redis://127.0.0.1:6379",
                "redis://127.0.0.1:6378",
                "redis://127.0.0.1:6377",
            ]}),
        ),
        example("a table", DATABASE, json!({"LOCATION": "my_cache_table"})),
        example("a directory", FILES, json!({"LOCATION": "/var/tmp/django_cache"})),
        // Where it runs, that is no absolute path.
        of(
            "a directory of Windows",
            FILES,
            json!({"LOCATION": "c:/foo/bar"}),
            Some("is relative: c:/foo/bar would be another directory"),
        ),
        example("local memory", LOCMEM, json!({"LOCATION": "unique-snowflake"})),
        example("a dummy", DUMMY, json!({})),
        of(
            "a backend of one's own",
            "path.to.backend",
            json!({}),
            Some("there is no backend `path.to.backend`"),
        ),
        example(
            "arguments",
            FILES,
            json!({"LOCATION": "/var/tmp/django_cache", "TIMEOUT": 60, "OPTIONS": {"MAX_ENTRIES": 1000}}),
        ),
        example(
            "options of pylibmc",
            PYLIBMC,
            json!({"LOCATION": "127.0.0.1:11211", "OPTIONS": {
                "binary": true, "username": "user", "password": PASSWORD, "behaviors": {"ketama": true},
            }}),
        ),
        example(
            "options of pymemcache",
            PYMEMCACHE,
            json!({"LOCATION": "127.0.0.1:11211", "OPTIONS": {
                "no_delay": true, "ignore_exc": true, "max_pool_size": 4, "use_pooling": true,
            }}),
        ),
        example(
            "options of redis",
            REDIS,
            json!({"LOCATION": "redis://127.0.0.1:6379", "OPTIONS": {
                "db": "10", "pool_class": "redis.BlockingConnectionPool",
            }}),
        ),
        example("the default of the setting", LOCMEM, json!({})),
        of(
            "a key function of one's own (ours)",
            LOCMEM,
            json!({"KEY_FUNCTION": "path.to.function"}),
            Some("there is no key function `path.to.function`"),
        ),
        example(
            "all arguments at their defaults (ours)",
            LOCMEM,
            json!({
                "LOCATION": "", "TIMEOUT": 300, "KEY_PREFIX": "", "VERSION": 1, "KEY_FUNCTION": null,
                "OPTIONS": {"MAX_ENTRIES": 300, "CULL_FREQUENCY": 3},
            }),
        ),
        example("entries that never expire (ours)", LOCMEM, json!({"TIMEOUT": null})),
        example("nothing is cached (ours)", LOCMEM, json!({"TIMEOUT": 0})),
    ]
}

/// Those of django-redis, in the order of its README. Where that shows only
/// `OPTIONS`, its first example stands around them.
pub(crate) fn of_django_redis() -> Vec<Example> {
    [servers_and_values(), sentinels(), clients()].into_iter().flatten().collect()
}

fn servers_and_values() -> Vec<Example> {
    vec![
        example("basic", json!({"LOCATION": "redis://127.0.0.1:6379/1"})),
        options("the default client", json!({"CLIENT_CLASS": "django_redis.client.DefaultClient"})),
        example(
            "a user in the URL, the password in the options",
            json!({"LOCATION": "redis://django@localhost:6379/0", "OPTIONS": {"PASSWORD": PASSWORD}}),
        ),
        example(
            "user and password in the options",
            json!({
                "LOCATION": "redis://localhost:6379/0",
                "OPTIONS": {"USERNAME": "django", "PASSWORD": PASSWORD},
            }),
        ),
        example(
            "user and password in the URL",
            json!({"LOCATION": format!("redis://django:{PASSWORD}@localhost:6379/0")}),
        ),
        example("TLS", json!({"LOCATION": format!("rediss://:{PASSWORD}@localhost:6379/0")})),
        example(
            "a unix socket",
            json!({"LOCATION": format!("unix://:{PASSWORD}@/path/to/socket.sock?db=0")}),
        ),
        options("password", json!({"PASSWORD": PASSWORD})),
        options("pickle's version", json!({"PICKLE_VERSION": -1})),
        options("socket timeouts", json!({"SOCKET_CONNECT_TIMEOUT": 5, "SOCKET_TIMEOUT": 5})),
        options("zlib", json!({"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"})),
        options("gzip", json!({"COMPRESSOR": "django_redis.compressors.gzip.GzipCompressor"})),
        options("lzma", json!({"COMPRESSOR": "django_redis.compressors.lzma.LzmaCompressor"})),
        options("lz4", json!({"COMPRESSOR": "django_redis.compressors.lz4.Lz4Compressor"})),
        options("zstd", json!({"COMPRESSOR": "django_redis.compressors.zstd.ZStdCompressor"})),
        refused("ignored exceptions", json!({"IGNORE_EXCEPTIONS": true}), "`OPTIONS.IGNORE_EXCEPTIONS`"),
        options("a pool of connections", json!({"CONNECTION_POOL_KWARGS": {"max_connections": 100}})),
        options(
            "a pool that tries again",
            json!({"CONNECTION_POOL_KWARGS": {"max_connections": 100, "retry_on_timeout": true}}),
        ),
        options("a pool of one's own", json!({"CONNECTION_POOL_CLASS": "myproj.mypool.MyOwnPool"})),
        options("a parser", json!({"PARSER_CLASS": "redis.connection.HiredisParser"})),
        of(
            "a replica",
            DJANGO_REDIS,
            json!({"LOCATION": ["redis://127.0.0.1:6379/1", "redis://127.0.0.1:6378/1"]}),
            None,
        ),
    ]
}

/// Which share their list of them.
fn sentinels() -> Vec<Example> {
    let sentinels = json!([["sentinel-1", 26379], ["sentinel-2", 26379], ["sentinel-3", 26379]]);
    let example = |name, alias| of(name, DJANGO_REDIS, alias, Some("`OPTIONS.SENTINELS`"));
    vec![
        example(
            "sentinels",
            json!({"LOCATION": "redis://service_name/db", "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.SentinelClient",
                "SENTINELS": sentinels,
                "SENTINEL_KWARGS": {"username": "sentinel-user", "password": PASSWORD},
                "CONNECTION_POOL_CLASS": "redis.sentinel.SentinelConnectionPool",
            }}),
        ),
        example(
            "sentinels and little else",
            json!({"LOCATION": "redis://minimal_service_name/db", "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.SentinelClient", "SENTINELS": sentinels,
            }}),
        ),
        example(
            "sentinels with the default client",
            json!({
                "LOCATION": [
                    "redis://other_service_name/db?is_master=1",
                    "redis://other_service_name/db?is_master=0",
                ],
                "OPTIONS": {"SENTINELS": sentinels},
            }),
        ),
        example(
            "sentinels, to read only",
            json!({
                "LOCATION": "redis://readonly_service_name/db?is_master=0",
                "OPTIONS": {"SENTINELS": sentinels},
            }),
        ),
        example(
            "sentinels beside an alias without",
            json!({"LOCATION": "redis://service_name/db", "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.SentinelClient",
                "SENTINELS": sentinels,
                "CONNECTION_POOL_CLASS": "redis.sentinel.SentinelConnectionPool",
                "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            }}),
        ),
    ]
}

fn clients() -> Vec<Example> {
    vec![
        of(
            "shards",
            DJANGO_REDIS,
            json!({
                "LOCATION": ["redis://127.0.0.1:6379/1", "redis://127.0.0.1:6379/2"],
                "OPTIONS": {"CLIENT_CLASS": "django_redis.client.ShardClient"},
            }),
            Some("`OPTIONS.CLIENT_CLASS`"),
        ),
        refused(
            "a herd",
            json!({"CLIENT_CLASS": "django_redis.client.HerdClient"}),
            "`OPTIONS.CLIENT_CLASS`",
        ),
        refused(
            "JSON",
            json!({"SERIALIZER": "django_redis.serializers.json.JSONSerializer"}),
            "`OPTIONS.SERIALIZER`",
        ),
        refused(
            "msgpack",
            json!({"SERIALIZER": "django_redis.serializers.msgpack.MSGPackSerializer"}),
            "`OPTIONS.SERIALIZER`",
        ),
        refused(
            "a client of redis-py",
            json!({"REDIS_CLIENT_CLASS": "my.module.ClientClass", "REDIS_CLIENT_KWARGS": {"some_setting": true}}),
            "`OPTIONS.REDIS_CLIENT_CLASS`",
        ),
        options("connections that are closed", json!({"CLOSE_CONNECTION": true})),
        of(
            "TLS with a certificate of one's own",
            DJANGO_REDIS,
            json!({"LOCATION": "rediss://127.0.0.1:6379/1", "OPTIONS": {
                "CLIENT_CLASS": "django_redis.client.DefaultClient",
                "CONNECTION_POOL_KWARGS": {"ssl_cert_reqs": null},
            }}),
            Some("`OPTIONS.CONNECTION_POOL_KWARGS.ssl_cert_reqs`"),
        ),
    ]
}

/// An alias of django-redis.
fn example(name: &'static str, alias: Json) -> Example {
    of(name, DJANGO_REDIS, alias, not_yet(DJANGO_REDIS))
}

fn options(name: &'static str, options: Json) -> Example {
    with_options(name, options, None)
}

fn refused(name: &'static str, options: Json, missing: &'static str) -> Example {
    with_options(name, options, Some(missing))
}

fn with_options(name: &'static str, options: Json, missing: Option<&'static str>) -> Example {
    let mut alias = json!({"LOCATION": "redis://127.0.0.1:6379/1"});
    alias["OPTIONS"] = options;
    of(name, DJANGO_REDIS, alias, missing)
}

fn of(name: &'static str, backend: &str, alias: Json, missing: Option<&'static str>) -> Example {
    let mut alias = alias;
    alias["BACKEND"] = backend.into();
    Example { name, caches: json!({ "default": alias }), missing }
}

/// What is said of a path that no backend has yet.
fn not_yet(backend: &str) -> Option<&'static str> {
    match backend {
        LOCMEM | DUMMY | FILES | REDIS | DJANGO_REDIS => None,
        _ => Some("is not supported yet"),
    }
}
