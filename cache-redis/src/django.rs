//! How Django spells the settings of a Redis.

use cache_core::DjangoEffect::{Ignored, Means, Only, Refused, Within};
use cache_core::{DjangoEffect, DjangoOption, DjangoSpelling};

/// Django's own backend, whose table also says what the parameters of a URL
/// mean, and django-redis. The server bounds itself, so that neither has a
/// default to keep.
///
/// But for `CLIENT_CLASS`, what an option is set to is not looked at. So each is
/// refused that with some value says whom to trust, where entries go or how they
/// are written, or that failures do not show. Ignored are those that tune the
/// client or the server's memory.
pub(crate) const DJANGO: &[DjangoSpelling] = &[
    DjangoSpelling::new("django.core.cache.backends.redis.RedisCache").options(REDIS_PY),
    DjangoSpelling::new("django_redis.cache.RedisCache").options(DJANGO_REDIS),
];

/// But for the first few all go to redis-py's pools and connections.
const REDIS_PY: &[DjangoOption] = &[
    DjangoOption::new("serializer", CODEC),
    DjangoOption::new("pool_class", POOL),
    DjangoOption::new("parser_class", PARSER),
    DjangoOption::new(
        "MAX_ENTRIES",
        Refused("take it out: Redis bounds itself, by `maxmemory` in its own configuration"),
    ),
    DjangoOption::new(
        "CULL_FREQUENCY",
        Refused("take it out: Redis evicts by `maxmemory-policy` in its own configuration"),
    ),
    // Who connects, and to what.
    DjangoOption::new("db", Means("database")),
    DjangoOption::new("username", Means("username")),
    DjangoOption::new("password", Means("password")),
    DjangoOption::new(
        "credential_provider",
        Refused("write `username` and `password`, or set `password_file` in the environment"),
    ),
    DjangoOption::new("client_name", Means("client_name")),
    DjangoOption::new("host", PLACE),
    DjangoOption::new("port", PLACE),
    DjangoOption::new("path", PLACE),
    DjangoOption::new(
        "connection_class",
        Refused(
            "take it out: the scheme in `LOCATION` says how to connect, `redis://`, `rediss://` with TLS, or `unix:` \
             and a path",
        ),
    ),
    DjangoOption::new(
        "redis_connect_func",
        Refused(
            "take it out: a new connection sends `username`, `password`, `db` and `client_name`, and nothing of the \
             project's own",
        ),
    ),
    DjangoOption::new("service_name", SENTINEL),
    DjangoOption::new("sentinel_manager", SENTINEL),
    DjangoOption::new("is_master", SENTINEL),
    DjangoOption::new("check_connection", SENTINEL),
    // How many connections, and how long it takes.
    DjangoOption::new("max_connections", POOL),
    DjangoOption::new("queue_class", POOL),
    DjangoOption::new(
        "timeout",
        Ignored(
            "`max_waiting` says how many calls may wait for a connection, and `deadline` of the alias how long",
        ),
    ),
    DjangoOption::new("socket_connect_timeout", Means("connect_deadline")),
    DjangoOption::new("socket_timeout", DEADLINE),
    DjangoOption::new("retry", RETRY),
    DjangoOption::new("retry_on_error", RETRY),
    DjangoOption::new("retry_on_timeout", RETRY),
    DjangoOption::new("health_check_interval", Ignored("a connection that fails is replaced")),
    DjangoOption::new("socket_keepalive", KEEPALIVE),
    DjangoOption::new("socket_keepalive_options", KEEPALIVE),
    DjangoOption::new("socket_read_size", Ignored("the `driver` chooses the size of its buffers")),
    DjangoOption::new("socket_type", Ignored("the host's addresses say of which family they are")),
    // TLS.
    DjangoOption::new("ssl_ca_certs", Means("tls_ca_file")),
    DjangoOption::new("ssl_certfile", Means("tls_cert_file")),
    DjangoOption::new("ssl_keyfile", Means("tls_key_file")),
    DjangoOption::new(
        "ssl_password",
        Refused("take it out, and decrypt the key that `ssl_keyfile` (`tls_key_file`) names"),
    ),
    DjangoOption::new(
        "ssl_ca_data",
        Refused("write the certificates to a file, and name it in `ssl_ca_certs` (`tls_ca_file`)"),
    ),
    DjangoOption::new(
        "ssl_ca_path",
        Refused("join the certificates in one file, and name it in `ssl_ca_certs` (`tls_ca_file`)"),
    ),
    DjangoOption::new("ssl_cert_reqs", CHECKED),
    DjangoOption::new("ssl_check_hostname", CHECKED),
    DjangoOption::new("ssl_include_verify_flags", VERIFY_FLAGS),
    DjangoOption::new("ssl_exclude_verify_flags", VERIFY_FLAGS),
    DjangoOption::new("ssl_validate_ocsp", REVOCATION),
    DjangoOption::new("ssl_validate_ocsp_stapled", REVOCATION),
    DjangoOption::new("ssl_ocsp_context", REVOCATION),
    DjangoOption::new("ssl_ocsp_expected_cert", REVOCATION),
    DjangoOption::new("ssl_min_version", TLS_VERSION),
    DjangoOption::new("ssl_ciphers", TLS_VERSION),
    // What is said on the wire.
    DjangoOption::new("encoding", ENCODING),
    DjangoOption::new("encoding_errors", ENCODING),
    DjangoOption::new("decode_responses", ENCODING),
    DjangoOption::new("protocol", PROTOCOL),
    DjangoOption::new("legacy_responses", PROTOCOL),
    DjangoOption::new("command_packer", PROTOCOL),
    DjangoOption::new("driver_info", LIBRARY),
    DjangoOption::new("lib_name", LIBRARY),
    DjangoOption::new("lib_version", LIBRARY),
    // What redis-py adds to it.
    DjangoOption::new("cache", CLIENT_CACHE),
    DjangoOption::new("cache_config", CLIENT_CACHE),
    DjangoOption::new("cache_factory", CLIENT_CACHE),
    DjangoOption::new("event_dispatcher", INTERNAL),
    DjangoOption::new("himport_registry", INTERNAL),
    DjangoOption::new("maint_notifications_config", MAINTENANCE),
    DjangoOption::new("maint_notifications_pool_handler", MAINTENANCE),
    DjangoOption::new("oss_cluster_maint_notifications_handler", MAINTENANCE),
    DjangoOption::new("maintenance_state", INTERNAL),
    DjangoOption::new("maintenance_notification_hash", INTERNAL),
    DjangoOption::new("orig_host_address", INTERNAL),
    DjangoOption::new("orig_socket_timeout", INTERNAL),
    DjangoOption::new("orig_socket_connect_timeout", INTERNAL),
];

const DJANGO_REDIS: &[DjangoOption] = &[
    // `DefaultClient` stands in nearly every project.
    DjangoOption::new(
        "CLIENT_CLASS",
        Only(
            &["django_redis.client.DefaultClient", "django_redis.client.default.DefaultClient"],
            "take it out: writes go to the first server of `LOCATION` and reads to the others, as with \
             `DefaultClient`; shards are not supported yet, and of a herd `aget_or_set` lets one load",
        ),
    ),
    DjangoOption::new("USERNAME", Means("username")),
    DjangoOption::new("PASSWORD", Means("password")),
    DjangoOption::new(
        "DB",
        Ignored(
            "django-redis does not read it either: the number ends `LOCATION`, as in `redis://host:6379/1`",
        ),
    ),
    DjangoOption::new("SOCKET_CONNECT_TIMEOUT", Means("connect_deadline")),
    DjangoOption::new("SOCKET_TIMEOUT", DEADLINE),
    DjangoOption::new("CONNECTION_POOL_CLASS", POOL),
    // They go to redis-py, as Django's own `OPTIONS` do.
    DjangoOption::new("CONNECTION_POOL_KWARGS", Within(REDIS_PY)),
    DjangoOption::new(
        "CONNECTION_FACTORY",
        Refused("take it out: `LOCATION` names the server itself; sentinels are not supported yet"),
    ),
    DjangoOption::new("PARSER_CLASS", PARSER),
    DjangoOption::new(
        "REDIS_CLIENT_CLASS",
        Refused("take it out: a class of the project cannot be the client, which `driver` says"),
    ),
    DjangoOption::new("REDIS_CLIENT_KWARGS", Ignored("beside a pool redis-py makes nothing of it either")),
    DjangoOption::new("SENTINELS", SENTINEL),
    DjangoOption::new("SENTINEL_KWARGS", SENTINEL),
    DjangoOption::new("REPLICA_READ_ONLY", WRITES),
    // Its name in django-redis 4.
    DjangoOption::new("SLAVE_READ_ONLY", WRITES),
    DjangoOption::new(
        "IGNORE_EXCEPTIONS",
        Refused(
            "take it out; if it is true, set `on_error` of the alias to `miss` in the environment, which holds for \
             reads",
        ),
    ),
    DjangoOption::new("CLOSE_CONNECTION", Ignored("connections are kept for the next call")),
    DjangoOption::new("SERIALIZER", CODEC),
    DjangoOption::new(
        "PICKLE_VERSION",
        Ignored("values are not pickled: `codec` of the alias says how they are written"),
    ),
    DjangoOption::new("COMPRESSOR", Ignored("values are not compressed")),
    DjangoOption::new(
        "REVERSE_KEY_FUNCTION",
        Ignored("no key of the store is turned back into the project's"),
    ),
    DjangoOption::new("MAX_ENTRIES", UNBOUNDED),
    DjangoOption::new("CULL_FREQUENCY", UNBOUNDED),
];

// The words that several options share.

const CODEC: DjangoEffect =
    Refused("take it out: `codec` of the alias, which the environment can set, says how values are written");

const POOL: DjangoEffect =
    Ignored("tasks do not take connections for themselves: they share `pool_size` of them");

const PARSER: DjangoEffect = Ignored("the `driver` has a parser of its own");

const PLACE: DjangoEffect = Refused("take it out: `LOCATION` says where the server is");

const SENTINEL: DjangoEffect =
    Refused("sentinels are not supported yet: take it out, and name the server itself in `LOCATION`");

const DEADLINE: DjangoEffect =
    Ignored("`deadline` of the alias, which the environment can set, ends every operation");

const RETRY: DjangoEffect = Ignored("no command is sent twice, since the first may have taken effect");

const KEEPALIVE: DjangoEffect = Ignored("it is always on, with times of its own");

const CHECKED: DjangoEffect = Refused(
    "take it out, since certificates and host names are always checked; if the system does not trust the server's \
     authority, name it in `ssl_ca_certs` (`tls_ca_file`)",
);

const VERIFY_FLAGS: DjangoEffect = Refused(
    "take it out: how certificates are checked cannot be changed, but for `ssl_ca_certs` (`tls_ca_file`)",
);

const REVOCATION: DjangoEffect = Refused(
    "take it out: whether a certificate has been revoked is not checked; `ssl_ca_certs` (`tls_ca_file`) \
     says whose are trusted",
);

const TLS_VERSION: DjangoEffect = Refused(
    "take it out: TLS 1.3 is spoken where the server does, else 1.2, with the ciphers of the TLS library",
);

const ENCODING: DjangoEffect = Ignored("keys are UTF-8, and `codec` of the alias says how values are read");

const PROTOCOL: DjangoEffect = Ignored("the `driver` says how it speaks with the server");

const LIBRARY: DjangoEffect = Ignored("the client is another library");

const CLIENT_CACHE: DjangoEffect = Ignored("every read asks the server");

const MAINTENANCE: DjangoEffect =
    Ignored("maintenance is not announced here, and a connection that fails is replaced");

const INTERNAL: DjangoEffect = Ignored("it is for parts of redis-py to tell each other");

const WRITES: DjangoEffect =
    Refused("take it out: only the first server of `LOCATION` is written to, whether or not it answers");

const UNBOUNDED: DjangoEffect = Ignored(
    "Redis bounds itself, by `maxmemory` in its own configuration; django-redis does not read it either",
);
