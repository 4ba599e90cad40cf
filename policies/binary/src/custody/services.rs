//! The copies in the definition of a service: they go, and nobody is locked out by it.

use precedent_guest::{Decision, Location, Presence, ReferenceKind, Severity};
use precedent_openclaw::Service;

use super::{Custody, Truth};

impl<'s> Custody<'_, 's> {
    /// Takes the copies out of the service's definition. Where one is all that a reference leads to,
    /// it stays: without it the server would be locked out itself.
    pub(super) fn empty_service(&self, truth: Option<Truth<'s>>, decision: &mut Decision) {
        for service in &self.services {
            self.empty_one(*service, truth, decision);
        }
    }

    fn empty_one(&self, service: Service, truth: Option<Truth<'s>>, decision: &mut Decision) {
        let noun = self.noun();
        let copies: Vec<Location<'s>> =
            self.installation.defined_by(service, self.credential).collect();
        for copy in copies.iter().copied().filter(|copy| copy.is_plain()) {
            let differs = truth.is_some_and(|truth| {
                truth.from.fingerprint().is_some() && !copy.same_secret(&truth.from)
            });
            if !self.installation.is_embedded(copy) {
                if differs {
                    self.tell_drift(service, copy, decision);
                }
                continue;
            }
            let message = format!(
                "{} holds the {noun} in clear: everybody who may read the unit has it, and it stays when the {noun} is changed",
                copy.label()
            );
            decision
                .finding(Severity::Warning, format!("{}-embedded", self.credential.name()), message)
                .at([copy])
                .remedy(match truth {
                    Some(_) => "precedent apply".to_owned(),
                    None => format!(
                        "nothing says that it is kept anywhere else, so it is left; if nobody needs it, remove it, then {}",
                        service.reload
                    ),
                });
            if let Some(truth) = truth.filter(|_| differs) {
                let message = format!(
                    "{} holds another {noun} than {}: programs that the service starts present the old one",
                    copy.label(),
                    truth.from.label()
                );
                decision
                    .finding(
                        Severity::Warning,
                        format!("{}-mismatch", self.credential.name()),
                        message,
                    )
                    .at([copy, truth.from])
                    .remedy("precedent apply");
            }
            self.empty(service, copy, truth, decision);
        }
    }

    fn tell_drift(&self, service: Service, copy: Location<'s>, decision: &mut Decision) {
        let message = format!(
            "{} holds another {} than the configuration; the file is the installer's, and is left",
            copy.label(),
            self.noun()
        );
        decision
            .finding(Severity::Warning, format!("{}-drift", self.credential.name()), message)
            .at([copy])
            .remedy(format!("openclaw gateway install --force, then {}", service.restart));
    }

    fn empty(
        &self,
        service: Service,
        copy: Location<'s>,
        truth: Option<Truth<'s>>,
        decision: &mut Decision,
    ) {
        let label = copy.label();
        let Some(truth) = truth else {
            // Nothing says that this secret is kept anywhere else.
            return;
        };
        if !copy.writable {
            let message = format!("{label} should go, but cannot be written here");
            decision.finding(Severity::Error, "target-read-only", message).at([copy]).remedy(
                "make the file and its folder writable for this user, then precedent apply",
            );
            return;
        }
        if truth.to.is_plain() || truth.to.id != truth.from.id {
            let reason = format!(
                "{} is kept in {}, so the unit need not hold it",
                self.noun(),
                truth.to.label()
            );
            decision.remove(copy, self.with_reload(service, reason));
            return;
        }
        match self.supply_without(service, copy, truth) {
            Supply::Enough => {
                let reason = format!("{} does not need it", truth.to.label());
                decision.remove(copy, self.with_reload(service, reason));
            }
            Supply::Into(file) => {
                let reason = format!(
                    "{} refers to {}, which only the unit sets; it moves to a file that is not read by everybody",
                    truth.to.label(),
                    self.credential.key()
                );
                // One that is not in force is nobody's.
                if self.is_in_force(copy) {
                    decision.write_unless_equal(copy, file, reason.clone());
                }
                decision.remove(copy, self.with_reload(service, reason));
            }
            Supply::None => {
                let message = format!(
                    "{} refers to {}, which only the unit sets: it is left there, for without it the server would have none",
                    truth.to.label(),
                    self.credential.key()
                );
                decision
                    .finding(Severity::Warning, "reference-needs-unit", message)
                    .at([copy, truth.to])
                    .remedy("make an empty ~/.openclaw/.env (mode 0600), then precedent apply moves it there");
            }
        }
    }

    /// Whether a reference in the configuration leads somewhere without the unit's own copies.
    fn supply_without(&self, service: Service, copy: Location<'s>, truth: Truth<'s>) -> Supply<'s> {
        let own = truth.to.reference().is_some_and(|reference| {
            reference.kind == ReferenceKind::Environment
                && reference.target == self.credential.key()
        });
        if !own {
            return Supply::Enough;
        }
        let name =
            |file: &str| self.installation.location(&format!("{file}.{}", self.credential.name()));
        let files = || ["dotenv", "gateway-env"].into_iter().filter_map(name);
        let mut defined = self.installation.defined_by(service, self.credential);
        if defined.any(|l| l.is_plain() && !self.installation.is_embedded(l)) {
            return Supply::Enough;
        }
        // The unit's own wins over a file's; so a file that holds another would change the server's.
        match files().find(|file| file.presence != Presence::Absent) {
            Some(file) if file.same_secret(&copy) => Supply::Enough,
            Some(file) if file.writable => Supply::Into(file),
            Some(_) => Supply::None,
            None => files().find(|file| file.writable).map_or(Supply::None, Supply::Into),
        }
    }

    fn with_reload(&self, service: Service, reason: String) -> String {
        format!("{reason}; then {}", service.reload)
    }
}

/// What a reference leads to once the unit holds nothing.
enum Supply<'s> {
    /// Something else.
    Enough,
    /// Nothing yet, but there is a file for it.
    Into(Location<'s>),
    /// Nothing.
    None,
}
