//! What the cases cannot show. `cargo test` runs it natively, without WebAssembly.

use precedent_guest::testing::SnapshotBuilder;

use crate::EnvironmentWins;

#[test]
fn an_expired_key_is_never_copied() {
    let snapshot = SnapshotBuilder::default().now(1000).plain("env.api-key", "new");
    let both = |expires| snapshot.clone().expires(expires).plain("config.api-key", "old");
    both(1001).decide::<EnvironmentWins>().does(&["write env.api-key -> config.api-key"]);
    both(1000).decide::<EnvironmentWins>().does(&[]).finds(&["environment-not-set"]);
}
