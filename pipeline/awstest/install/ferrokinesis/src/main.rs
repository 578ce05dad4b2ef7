//! ferrokinesis, which as a program of its own listens on all interfaces, on
//! loopback only: `ferrokinesis PORT [NAME=VALUE]...`.

use ferrokinesis::{
    create_app,
    store::{DurableStateOptions, StoreOptions},
};

fn number<T: std::str::FromStr>(name: &str, value: &str) -> T {
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {value:?} is no number in its range"))
}

fn options(arguments: impl Iterator<Item = String>) -> StoreOptions {
    let mut o = StoreOptions {
        shard_limit: 5000,
        // Without it nothing is ever trimmed.
        retention_check_interval_secs: 1,
        ..Default::default()
    };
    for argument in arguments {
        let (name, value) = argument
            .split_once('=')
            .unwrap_or_else(|| panic!("{argument:?}: want NAME=VALUE"));
        match name {
            "delay_ms" => {
                let ms = number(name, value);
                (o.create_stream_ms, o.delete_stream_ms, o.update_stream_ms) = (ms, ms, ms);
            }
            "iterator_ttl_seconds" => o.iterator_ttl_seconds = number(name, value),
            "enforce_limits" => o.enforce_limits = number(name, value),
            "shard_limit" => o.shard_limit = number(name, value),
            "session_ms" => o.subscribe_to_shard_session_ms = number(name, value),
            "account" => o.aws_account_id = value.into(),
            "region" => o.aws_region = value.into(),
            "state_dir" => {
                o.durable = Some(DurableStateOptions {
                    state_dir: value.into(),
                    snapshot_interval_secs: 0,
                    max_retained_bytes: None,
                })
            }
            _ => panic!("{name:?} is no option"),
        }
    }
    o
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = number("PORT", &arguments.next().expect("want a port"));
    let (app, _store) = create_app(options(arguments));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("listen");
    axum::serve(listener, app).await.expect("serve");
}
