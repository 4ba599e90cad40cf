//! A grace window: after a rotation the server accepts the previous token too, until a deadline.

use precedent_guest::{Answer, Decision, Location, NoSettings, Policy, Severity, Snapshot};

struct GraceWindow;

impl Policy for GraceWindow {
    type Settings = NoSettings;

    fn decide(snapshot: &Snapshot, _: NoSettings) -> Answer {
        let mut decision = Decision::default();
        let token = snapshot.named("server.token")?;
        let previous = snapshot.named("server.token-previous")?;
        let until = snapshot.fact("server.previous-until").and_then(|until| until.parse().ok());
        let is_open = until.is_some_and(|until: u64| snapshot.now() < until);
        // Without time ahead, a rotation would lock out whoever still has the old token.
        let can_begin = is_open && token.can_be_written() && previous.can_be_written();
        let new = snapshot.incoming(token.credential).filter(|_| can_begin);
        if new.is_some_and(|new| !new.same_secret(&token)) {
            decision.write_unless_equal(token, previous, "stays good until the deadline");
        } else if until.is_some() && !is_open {
            decision.remove_if_plain(previous, "its deadline has passed");
        } else if until.is_none() && !previous.is_unset() {
            let message = "the previous token is accepted until somebody sets a deadline";
            decision.finding(Severity::Warning, "no-deadline", message).at([previous]);
        }
        let source = new.unwrap_or(token);
        let clients = snapshot.copies_of(token.credential).filter(|copy| copy.id != previous.id);
        decision.write_to_all(source, clients, "follows the server");
        let then = snapshot.after(&decision);
        for consumer in snapshot.consumers() {
            let end = then.copy_at(then.today(consumer));
            let ends_on = |copy: Location<'_>| end.is_some_and(|end| end.same_secret(&copy));
            let is_late =
                is_open && !ends_on(source) && then.location(previous.id).is_some_and(ends_on);
            let wanted = if is_late { previous.id } else { source.id };
            decision.verdict(consumer.id, snapshot.today(consumer), Some(wanted), "it is accepted");
            if is_late {
                let message = format!("{} has until the deadline to change", consumer.name);
                decision.finding(Severity::Info, "on-previous", message).at(end);
            } else if !ends_on(source) {
                let message = format!("{} has no token that the server accepts", consumer.name);
                decision.finding(Severity::Error, "locked-out", message).at([token]);
            }
        }
        Ok(decision)
    }
}

precedent_guest::export!(GraceWindow);

#[test]
fn the_old_token_is_kept_in_the_window_and_removed_after_it() {
    use precedent_guest::{Phase, testing::SnapshotBuilder};
    let at = |now| {
        SnapshotBuilder::default()
            .now(now)
            .fact("server.previous-until", "100")
            .consumer("batch")
            .with("reads", "env.token")
            .plain("env.token", "old")
    };
    at(50)
        .phase(Phase::Rotate)
        .plain("server.token", "old")
        .absent("server.token-previous")
        .plain("incoming.token", "new")
        .decide::<GraceWindow>()
        .does(&[
            "write server.token -> server.token-previous",
            "write incoming.token -> server.token",
        ])
        .finds(&["on-previous"]);
    at(100)
        .plain("server.token", "new")
        .plain("server.token-previous", "old")
        .decide::<GraceWindow>()
        .does(&["remove server.token-previous"])
        .finds(&["locked-out"]);
}
