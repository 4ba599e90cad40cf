//! OpenClaw's dates as versions.

use std::{fmt, str::FromStr};

/// A release of OpenClaw: year, month, number in the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

impl Version {
    /// The newest release whose behaviour was measured; stands in where the version is unknown.
    pub const NEWEST: Self = Self(2026, 9, 6);
    /// The first release on which a SecretRef to a variable was seen to serve as
    /// `gateway.auth.token`.
    pub const KNOWS_REFERENCES: Self = Self(2026, 3, 8);

    /// The first release that a text speaks of, such as `OpenClaw Gateway (v2026.3.8)`.
    #[must_use]
    pub fn in_text(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
            .find_map(|word| word.parse().ok())
    }
}

/// The text is no `YEAR.MONTH.NUMBER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `2026.9.6`, also with a leading `v` or a suffix such as `-beta.1`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let text = text.trim().trim_start_matches('v');
        let release = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts =
            release.split('.').map(|part| part.parse::<u16>().map_err(|_| VersionError));
        let mut next = || parts.next().unwrap_or(Err(VersionError));
        let version = Self(next()?, next()?, next()?);
        let is_date = version.0 >= 2024 && (1..=12).contains(&version.1);
        match parts.next() {
            None if is_date => Ok(version),
            _ => Err(VersionError),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!("2026.9.6".parse(), Ok(Version(2026, 9, 6)));
        assert_eq!(" v2026.10.1-beta.2".parse(), Ok(Version(2026, 10, 1)));
        for wrong in [
            "",
            "2026.9",
            "2026.9.6.1",
            "2026.nine.6",
            "latest",
            "2026.9.99999999",
            "2026.13.1",
            "1.2.3",
        ] {
            assert_eq!(wrong.parse::<Version>(), Err(VersionError), "{wrong:?}");
        }
        assert!(Version(2026, 9, 6) < Version(2026, 10, 1));
    }
}
