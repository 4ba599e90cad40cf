//! What a consumer gets, why, and what it would get next.

use precedent_guest::{Consumer, Decision, Location, Severity, Standing, contract::Verdict};

use crate::{
    Credential, Installation, Mode, Place, Program, apart, client, reader::Reader, server, tui,
};

/// What a consumer gets when it resolves its credential.
#[derive(Debug, Clone)]
pub struct Resolved<'s> {
    /// What it uses.
    pub standing: Standing,
    /// What it would use if that copy vanished.
    pub next: Option<Location<'s>>,
    /// Its order in words, such as `cli reads gateway.auth.token, then the environment`.
    pub order: String,
    /// Whether it is a program that this library knows.
    pub known: bool,
}

impl<'s> Installation<'s> {
    /// Resolves a consumer's credential as the program would. A consumer that is no program of
    /// OpenClaw's and has no attribute `program` gets nothing.
    #[must_use]
    pub fn resolve(&self, consumer: Consumer<'_>) -> Resolved<'s> {
        let credential = Credential::from_name(self.snapshot.credential_name(consumer.credential));
        let (Some(program), Some(credential)) = (self.program(consumer), credential) else {
            return Resolved {
                standing: Standing::Nothing,
                next: None,
                order: format!("{} is no program of OpenClaw's", consumer.name),
                known: false,
            };
        };
        let reader = Reader::new(self, consumer, program);
        let answer = match program {
            Program::Gateway => server::resolve(&reader, credential),
            Program::Tui => tui::resolve(&reader, credential),
            Program::Cli | Program::Probe | Program::NodeHost => {
                client::resolve(&reader, credential)
            }
        };
        let order = self.in_words(&reader, consumer, credential, &answer.places);
        let standing = if self.is_readable() { answer.standing } else { Standing::Invalid };
        Resolved { standing, next: answer.next, order, known: true }
    }

    /// What any program gets today, and in which order it reads: one of OpenClaw's as it does, another by its
    /// attribute `reads`. Where what it reads first could not be read here, it gets that all the same.
    #[must_use]
    pub fn today(&self, consumer: Consumer<'_>) -> (Standing, String) {
        let snapshot = self.snapshot;
        if snapshot.consumer_attribute(consumer, "reads").is_none() {
            let resolved = self.resolve(consumer);
            if resolved.known {
                return (resolved.standing, resolved.order);
            }
        }
        let reads = snapshot.reads(consumer);
        if let Some(copy) = reads.unknown() {
            let place = copy.in_words();
            let order = format!("{} reads {place}, which could not be read", consumer.name);
            return (Standing::Copy(copy.id), order);
        }
        let standing = reads.resolve().standing;
        let order = match snapshot.copy_at(standing) {
            Some(copy) => format!("{} reads {}", consumer.name, copy.in_words()),
            None => format!("{} finds no copy", consumer.name),
        };
        (standing, order)
    }

    /// Adds a verdict for every consumer: what it uses today, and the copy that `wanted` names for
    /// it, with the reason.
    pub fn judge(
        &self,
        decision: &mut Decision,
        wanted: impl Fn(Consumer<'_>, &Resolved<'_>) -> (Option<Location<'s>>, String),
    ) {
        for consumer in self.snapshot.consumers() {
            let resolved = self.resolve(consumer);
            let (wanted, why) = if let Some(why) = self.out_of_reach(consumer) {
                (None, why)
            } else if resolved.known {
                wanted(consumer, &resolved)
            } else {
                let message = format!(
                    "nothing is known of how {} reads its credential, so nothing is said of it",
                    consumer.name
                );
                decision.finding(Severity::Warning, "consumer-unknown", message).remedy(
                    "give the consumer the attribute `program`: gateway, cli, tui, probe or node-host",
                );
                (None, "left out".to_owned())
            };
            let mut reason = resolved.order;
            reason.extend(["; ", why.as_str()]);
            decision.verdicts.push(Verdict {
                consumer: consumer.id,
                today: resolved.standing,
                wanted: wanted.map(|location| location.id),
                reason,
                next: resolved.next.map(|location| location.id),
            });
        }
        apart::find(self, decision);
    }

    /// Which of OpenClaw's programs a consumer is.
    fn program(&self, consumer: Consumer<'_>) -> Option<Program> {
        let said = self.snapshot.consumer_attribute(consumer, "program");
        Program::from_name(said.unwrap_or(consumer.name))
    }

    /// Why nothing here says which secret a program should get; none where something does.
    #[must_use]
    pub fn out_of_reach(&self, consumer: Consumer<'_>) -> Option<String> {
        match (self.program(consumer)?, self.mode) {
            (Program::Gateway, Mode::Remote) => {
                Some("gateway.mode is remote: no gateway of this configuration runs".to_owned())
            }
            (Program::NodeHost, Mode::Local) => {
                let host = self.node_connects_to()?;
                Some(format!("it connects to {host}, which is another gateway"))
            }
            _ => None,
        }
    }

    /// What a place is called, in the program's order. A place that hardly anybody uses is named where
    /// something stands there.
    fn in_words(
        &self,
        reader: &Reader<'_, 's>,
        consumer: Consumer<'_>,
        credential: Credential,
        places: &[Place],
    ) -> String {
        let mut labels = places
            .iter()
            .filter(|place| {
                let rare = matches!(place, Place::Call | Place::LegacyEnv);
                !rare || reader.is_set(credential, **place)
            })
            .filter_map(|place| reader.at(credential, *place))
            .map(|location| location.label());
        let mode = match self.mode {
            Mode::Local => "",
            Mode::Remote => " in remote mode",
        };
        // Put together without the machinery of formats: every program has such a sentence, and most of a
        // decision went into them.
        let mut words = String::with_capacity(SENTENCE);
        words.push_str(consumer.name);
        // Which release is meant matters: the orders differ.
        if let Some(version) = &self.known().version {
            words.extend([" of ", version.as_str()]);
        }
        match labels.next() {
            None => words.extend([" looks nowhere", mode]),
            Some(first) => {
                words.extend([mode, " reads ", first]);
                labels.for_each(|label| words.extend([", then ", label]));
            }
        }
        words
    }
}

/// Room for an order in words and why it is so: most have less.
const SENTENCE: usize = 192;
