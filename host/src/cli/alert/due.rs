//! What is to be told now, and what is kept of it.

use std::{collections::BTreeSet, time::Duration};

use precedent::record::Telling;

use super::message::Event;

/// Whether something is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// What is true was told, or nothing is wrong.
    Nothing,
    Told(Event),
}

/// One alert in one check.
pub(super) struct Round {
    /// What it was told; none where nothing was wrong.
    pub(super) telling: Option<Telling>,
    /// The problems of now that are worth telling.
    pub(super) keys: BTreeSet<String>,
    /// Whether a problem that is not among them is over.
    pub(super) is_whole: bool,
    /// Seconds since 1970.
    pub(super) now: u64,
    /// After how long what lasts is told again.
    pub(super) repeat: Option<Duration>,
}

impl Round {
    pub(super) fn due(&self) -> Due {
        let told_at = self.telling.as_ref().and_then(|telling| telling.at);
        match told_at {
            None if self.keys.is_empty() => Due::Nothing,
            None => Due::Told(Event::Problem),
            Some(_) if self.keys.is_empty() => Due::Told(Event::Recovered),
            Some(_) if self.keys.iter().any(|key| !self.knows(key)) => Due::Told(Event::Problem),
            // A clock that went back by as much is as good a reason.
            Some(at) if self.repeat.is_some_and(|all| self.now.abs_diff(at) >= all.as_secs()) => {
                Due::Told(Event::Still)
            }
            Some(_) => Due::Nothing,
        }
    }

    /// Whether a problem was told.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.telling.as_ref().is_some_and(|telling| telling.problems.contains(key))
    }

    /// When the first of the problems was seen.
    pub(super) fn since(&self) -> u64 {
        self.telling.as_ref().map_or(self.now, |telling| telling.since)
    }

    /// What is kept for the next check; none where there is nothing to remember.
    pub(super) fn after(self, due: Due, is_delivered: bool) -> Option<Telling> {
        let since = self.since();
        let before = self.telling.unwrap_or_default();
        let known = || match self.is_whole {
            true => self.keys.clone(),
            false => before.problems.union(&self.keys).cloned().collect(),
        };
        match due {
            Due::Nothing if self.keys.is_empty() => None,
            Due::Nothing => Some(Telling { since, at: before.at, problems: known() }),
            // Who was told is to hear of the end of it, and not of a beginning twice.
            Due::Told(_) if !is_delivered => Some(Telling { since, ..before }),
            Due::Told(Event::Recovered) => None,
            Due::Told(_) => Some(Telling { since, at: Some(self.now), problems: known() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// An alert over many checks.
    #[derive(Default)]
    struct Story {
        telling: Option<Telling>,
        repeat: Option<Duration>,
    }

    impl Story {
        fn check(&mut self, now: u64, keys: &[&str], is_whole: bool, is_delivered: bool) -> Due {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            let telling = self.telling.take();
            let round = Round { telling, keys, is_whole, now, repeat: self.repeat };
            let due = round.due();
            self.telling = round.after(due, is_delivered);
            due
        }

        fn sees(&mut self, now: u64, keys: &[&str]) -> Due {
            self.check(now, keys, true, true)
        }
    }

    const PROBLEM: Due = Due::Told(Event::Problem);
    const STILL: Due = Due::Told(Event::Still);
    const RECOVERED: Due = Due::Told(Event::Recovered);

    #[test]
    fn each_problem_is_told_once_and_so_is_the_end() {
        let mut story = Story::default();
        assert_eq!(story.sees(1, &[]), Due::Nothing);
        assert_eq!(story.sees(2, &["a"]), PROBLEM);
        assert_eq!(story.sees(3, &["a"]), Due::Nothing);
        assert_eq!(story.sees(4, &["a", "b"]), PROBLEM);
        assert_eq!(story.sees(5, &["b"]), Due::Nothing);
        assert_eq!(story.sees(6, &["a", "b"]), PROBLEM, "it was over, and is back");
        assert_eq!(story.telling.as_ref().map(|telling| telling.since), Some(2));
        assert_eq!(story.sees(7, &[]), RECOVERED);
        assert_eq!(story.sees(8, &[]), Due::Nothing);
    }

    #[test]
    fn what_is_not_delivered_was_not_told() {
        let mut story = Story::default();
        assert_eq!(story.check(1, &["a"], true, false), PROBLEM);
        assert_eq!(story.sees(2, &[]), Due::Nothing, "nobody knows that it began");
        assert_eq!(story.check(3, &["a"], true, false), PROBLEM);
        assert_eq!(story.sees(4, &["a"]), PROBLEM);
        assert_eq!(story.telling.as_ref().map(|telling| telling.since), Some(3));
        assert_eq!(story.check(5, &["b"], true, false), PROBLEM);
        assert_eq!(story.check(6, &[], true, false), RECOVERED, "of a they know");
        assert_eq!(story.sees(7, &[]), RECOVERED);
        assert_eq!(story.telling, None);
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_over() {
        let mut story = Story::default();
        assert_eq!(story.sees(1, &["drift"]), PROBLEM);
        assert_eq!(story.check(2, &["fault"], false, true), PROBLEM);
        assert_eq!(story.check(3, &["fault"], false, true), Due::Nothing);
        assert_eq!(story.sees(4, &["drift"]), Due::Nothing, "it lasted all the while");
        assert_eq!(story.sees(5, &[]), RECOVERED);
    }

    #[test]
    fn what_lasts_is_told_again_where_that_is_wanted() {
        let repeat = Some(Duration::from_secs(6 * HOUR));
        let mut story = Story { telling: None, repeat };
        assert_eq!(story.sees(0, &["a"]), PROBLEM);
        assert_eq!(story.sees(6 * HOUR - 1, &["a"]), Due::Nothing);
        assert_eq!(story.check(6 * HOUR, &["a"], true, false), STILL);
        assert_eq!(story.sees(7 * HOUR, &["a"]), STILL, "it was not delivered");
        assert_eq!(story.sees(8 * HOUR, &["a"]), Due::Nothing);
    }
}
