//! The policy natively. What files come to is the host's, and in `cases`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails should fail loudly"
)]

use precedent_guest::{
    Fault, Phase, Presence, Refusal,
    testing::{Decided, SnapshotBuilder},
};

use crate::Nodes;

/// 2026-03-27 00:00 UTC
const NOW: u64 = 1_774_569_600;
const HOUR: u64 = 3600;
const HERE: &str = "auth-profiles@main/codex:default";
const THERE: &str = "vps2@VPS2/main/codex:default";

/// An installation of the time of the files.
fn installation() -> SnapshotBuilder {
    SnapshotBuilder::default()
        .fact("openclaw-version", "2026.7.35")
        .now(NOW)
        .credential("oauth:codex:default")
}

/// The agent `main`, whose one login to codex is at [`HERE`].
fn main() -> SnapshotBuilder {
    agent(installation(), "main", HERE)
}

fn agent(builder: SnapshotBuilder, name: &str, reads: &str) -> SnapshotBuilder {
    builder
        .consumer(&format!("agent:{name}"))
        .with("agent", name)
        .with("reads", reads)
        .with("provider", "codex")
}

/// A login by OAuth that ends.
fn login(
    builder: SnapshotBuilder,
    at: &str,
    secret: &str,
    ends: u64,
    refresh: &str,
) -> SnapshotBuilder {
    let login = builder.plain(at, secret).expires(ends).marked("type", "oauth");
    login.marked("profile", "codex:default").marked("refresh", refresh)
}

#[track_caller]
fn refused(decided: &Decided) -> &Refusal {
    decided.answer().as_ref().unwrap_err()
}

#[test]
fn a_restart_is_refused_with_the_agent_the_time_and_the_way_out() {
    let decided =
        login(main(), HERE, "old", NOW - HOUR, "absent").phase(Phase::Restart).decide::<Nodes>();
    let refusal = refused(&decided);
    assert_eq!(refusal.code, "agents-lose-auth");
    assert_eq!(
        refusal.reason,
        "a restart would leave 1 of 1 agents without a login: codex:default of main ended 2026-03-26 23:00 UTC and cannot be renewed: it has no refresh token"
    );
    assert_eq!(
        refusal.remedy.as_deref(),
        Some("before the restart: openclaw models auth login --provider codex")
    );
    assert_eq!(refusal.locations, [0]);
}

#[test]
fn every_way_in_which_nothing_renews_a_login_is_told() {
    let ended = || login(main(), HERE, "old", NOW - HOUR, "present").phase(Phase::Restart);
    let settings = |text: &str| ended().settings(text);
    for (builder, words) in [
        (ended().refresh_expires(NOW), "its refresh token ended 2026-03-27 00:00 UTC"),
        (ended().marked("refresh-failed", "1774569000"), "its renewal failed 2026-03-26 23:50 UTC"),
        (settings(r#"{"refresher":"pc-a"}"#), "only pc-a may renew it"),
        (settings(r#"{"refresher":"pc-a","node":"t440"}"#), "only pc-a may renew it"),
    ] {
        let decided = builder.decide::<Nodes>();
        assert!(refused(&decided).reason.ends_with(words), "{:?}", decided.answer());
    }
    ended().decide::<Nodes>().finds(&["login-renewable"]).does(&[]);
    ended().refresh_expires(NOW + 1).decide::<Nodes>().finds(&["login-renewable"]);
    settings(r#"{"refresher":"t440","node":"t440"}"#).decide::<Nodes>().finds(&["login-renewable"]);
}

#[test]
fn the_margin_counts_from_now() {
    let ends = |at: u64| login(main(), HERE, "a", at, "absent").phase(Phase::Restart);
    ends(NOW + HOUR + 1).decide::<Nodes>().finds(&[]).wants("agent:main", Some(HERE));
    let decided = ends(NOW + HOUR).decide::<Nodes>();
    let words = "ends 2026-03-27 01:00 UTC, within the margin of 60 min and cannot be renewed";
    assert!(refused(&decided).reason.contains(words), "{:?}", decided.answer());
    ends(NOW + HOUR).settings(r#"{"margin-minutes":59}"#).decide::<Nodes>().finds(&[]);
    let decided = ends(NOW + HOUR).settings(r#"{"carry-percent":0}"#).decide::<Nodes>();
    assert_eq!(refused(&decided).code, "settings");
}

#[test]
fn the_copy_that_lasts_longest_is_written() {
    let with = |here: u64, there: u64| {
        let own = login(main(), HERE, "old", here, "absent");
        login(own, THERE, "new", there, "present").on("VPS2")
    };
    let decided = with(NOW - HOUR, NOW + 9 * HOUR).decide::<Nodes>();
    decided
        .does(&[&format!("write {THERE} -> {HERE}")])
        .finds(&[])
        .wants("agent:main", Some(THERE));
    let longer = login(
        with(NOW - HOUR, NOW + 9 * HOUR),
        "mac@Mac/main/codex:default",
        "newer",
        NOW + 99 * HOUR,
        "present",
    );
    longer
        .on("Mac")
        .decide::<Nodes>()
        .does(&[&format!("write mac@Mac/main/codex:default -> {HERE}")]);
    // Valid here, or about to end there: nothing to do.
    with(NOW + 2 * HOUR, NOW + 9 * HOUR).decide::<Nodes>().does(&[]);
    with(NOW - HOUR, NOW + HOUR).decide::<Nodes>().does(&[]).finds(&["agents-lose-auth"]);
    // In a restart it comes first.
    let decided = with(NOW - HOUR, NOW + 9 * HOUR).phase(Phase::Restart).decide::<Nodes>();
    let remedy = refused(&decided).remedy.as_deref().unwrap();
    assert!(
        remedy.contains(
            "precedent apply writes vps2@VPS2/main/codex:default (valid until 2026-03-27 09:00 UTC)"
        ),
        "{remedy}"
    );
}

#[test]
fn a_login_of_which_nobody_knows_the_account_is_not_copied() {
    let with = |own: Option<&str>, other: Option<&str>| {
        let of = |builder: SnapshotBuilder, account: Option<&str>| match account {
            Some(account) => builder.marked("account", account),
            None => builder,
        };
        let builder = of(login(main(), HERE, "old", NOW - HOUR, "absent"), own);
        of(login(builder, THERE, "new", NOW + 9 * HOUR, "present").on("VPS2"), other)
    };
    let write = format!("write {THERE} -> {HERE}");
    for same in [None, Some("a")] {
        with(same, same).decide::<Nodes>().does(&[&write]).finds(&[]);
    }
    with(Some("a"), Some("b")).decide::<Nodes>().does(&[]).finds(&["agents-lose-auth"]);
    for (own, other) in [(Some("a"), None), (None, Some("a"))] {
        let decided = with(own, other).decide::<Nodes>();
        decided.does(&[]).finds(&["account-unknown", "agents-lose-auth"]);
        let said = &decided.answer().as_ref().unwrap().findings[0];
        assert_eq!(
            said.message,
            format!(
                "{THERE} is valid, and not copied over {HERE}: only one of the two says of which account it is"
            )
        );
        assert_eq!(said.locations, [0, 1]);
        assert_eq!(said.remedy.as_deref(), Some("openclaw models auth login --provider codex"));
    }
    // Where another is known to be of the account, it is taken.
    let mac = "mac@Mac/main/codex:default";
    let known = login(with(Some("a"), None), mac, "newer", NOW + 8 * HOUR, "present").on("Mac");
    let decided = known.marked("account", "a").decide::<Nodes>();
    decided.does(&[&format!("write {mac} -> {HERE}")]).finds(&[]);
}

#[test]
fn what_renews_a_login_goes_nowhere() {
    let own = login(main(), HERE, "old", NOW - HOUR, "present");
    let own = own.credential("oauth-refresh:codex:default");
    let own =
        own.plain("auth-profiles-refresh@main/codex:default", "r1").marked("single-use", "yes");
    let with = |secret: &str| {
        let other = own.clone().plain("vps2-refresh@VPS2/main/codex:default", secret);
        other.marked("single-use", "yes").on("VPS2")
    };
    with("r2").decide::<Nodes>().does(&[]).finds(&["login-renewable"]);
    with("r1").decide::<Nodes>().does(&[]).finds(&["login-renewable", "refresh-token-shared"]);
    let settings = r#"{"refresher":"t440","node":"t440"}"#;
    with("r1").settings(settings).decide::<Nodes>().finds(&["login-renewable"]);
}

#[test]
fn nothing_is_copied_where_a_database_keeps_the_logins() {
    let with = |version: &str| {
        let own = SnapshotBuilder::default().now(NOW).credential("oauth:codex:default");
        let own = agent(own.fact("openclaw-version", version), "main", HERE);
        let own = login(own, HERE, "old", NOW - HOUR, "absent");
        login(own, THERE, "new", NOW + 9 * HOUR, "present").on("VPS2")
    };
    with("2026.7.35").decide::<Nodes>().does(&[&format!("write {THERE} -> {HERE}")]);
    for version in ["2026.8.0", "2026.9.6"] {
        for phase in [Phase::Restart, Phase::Repair, Phase::Check] {
            let decided = with(version).phase(phase).decide::<Nodes>();
            decided
                .does(&[])
                .finds(&["login-file-left-over", "copy-refused"])
                .wants("agent:main", None);
        }
    }
}

#[test]
fn what_cannot_be_read_leaves_its_agent_without_a_login() {
    let unreadable =
        || main().location(HERE, Presence::Unreadable(Fault::Syntax)).marked("type", "file");
    let decided = unreadable().phase(Phase::Restart).decide::<Nodes>();
    assert!(refused(&decided).reason.contains("of main cannot be read"), "{:?}", decided.answer());
    unreadable().decide::<Nodes>().finds(&["agents-lose-auth"]).today("agent:main", "invalid");
}

#[test]
fn twelve_carry_fifteen() {
    let agents = |count: usize| {
        (0..count).fold(installation(), |builder, index| {
            let at = format!("auth-profiles@{index}/codex:default");
            let builder = agent(builder, &index.to_string(), &at);
            login(builder, &at, "a", NOW + 9 * HOUR, "present")
        })
    };
    let config = |builder: SnapshotBuilder| {
        builder.credential("gateway-token").plain("config.auth-token", "t")
    };
    let raise = |limit: &str| {
        let builder = config(agents(15)).settings(r#"{"raise":true}"#);
        builder.fact("agents.max-concurrent", limit).decide::<Nodes>()
    };
    let decided = agents(15).decide::<Nodes>();
    decided.finds(&["reconnects-exceed-limit"]).does(&[]);
    let said = &decided.answer().as_ref().unwrap().findings[0];
    assert_eq!(
        said.message,
        "15 agents reconnect at once after a restart, and agents.defaults.maxConcurrent lets 4 (its default) work: 12 carries them, 80 % of 15"
    );
    assert!(said.remedy.as_deref().unwrap().contains("set-facts = [\"agents.max-concurrent\"]"));
    raise("4").finds(&[]).does(&["set agents.max-concurrent = 12"]);
    raise("12").finds(&[]).does(&[]);
    agents(5).decide::<Nodes>().finds(&[]);
    agents(6).decide::<Nodes>().finds(&["reconnects-exceed-limit"]);
    // Where the configuration cannot be written, somebody else must.
    let read_only = config(agents(15)).read_only().settings(r#"{"raise":true}"#);
    read_only.decide::<Nodes>().does(&[]).finds(&["reconnects-exceed-limit"]);
}
