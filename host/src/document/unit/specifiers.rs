//! Specifiers: `%h`, `%t` and the like.

use zeroize::Zeroizing;

/// What specifiers stand for: see systemd.unit(5), "Specifiers".
pub(crate) struct Specifiers<'s> {
    /// Name of the unit with its suffix.
    pub(crate) unit: &'s str,
    /// Whether it is a unit of the user's manager, not of the system's.
    pub(crate) user: bool,
    /// A variable of the environment.
    pub(crate) variable: &'s dyn Fn(&str) -> Option<String>,
}

impl Specifiers<'_> {
    /// The text with its specifiers expanded; none where one is not known here.
    pub(crate) fn expand(&self, text: &str) -> Option<Zeroizing<String>> {
        let mut expanded = Zeroizing::new(String::with_capacity(text.len()));
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '%' {
                expanded.push_str(&self.one(chars.next()?)?);
            } else {
                expanded.push(c);
            }
        }
        Some(expanded)
    }

    fn one(&self, letter: char) -> Option<String> {
        let name = self.unit.rsplit_once('.').map_or(self.unit, |(name, _)| name);
        let (prefix, instance) = name.split_once('@').unwrap_or((name, ""));
        let home = || if self.user { (self.variable)("HOME") } else { Some("/root".to_owned()) };
        let folder = |variable: &str, below: &str, system: &str| match self.user {
            true => (self.variable)(variable)
                .filter(|path| !path.is_empty())
                .or_else(|| Some(format!("{}/{below}", (self.variable)("HOME")?))),
            false => Some(system.to_owned()),
        };
        Some(match letter {
            '%' => "%".to_owned(),
            'n' => self.unit.to_owned(),
            'N' => name.to_owned(),
            'p' | 'P' => prefix.to_owned(),
            'i' | 'I' => instance.to_owned(),
            'j' | 'J' => prefix.rsplit('-').next().unwrap_or(prefix).to_owned(),
            'h' => home()?,
            'u' if !self.user => "root".to_owned(),
            'u' => (self.variable)("USER").or_else(|| (self.variable)("LOGNAME"))?,
            'E' => folder("XDG_CONFIG_HOME", ".config", "/etc")?,
            'S' => folder("XDG_STATE_HOME", ".local/state", "/var/lib")?,
            'C' => folder("XDG_CACHE_HOME", ".cache", "/var/cache")?,
            't' if !self.user => "/run".to_owned(),
            't' => (self.variable)("XDG_RUNTIME_DIR")?,
            'T' => "/tmp".to_owned(),
            'V' => "/var/tmp".to_owned(),
            _ => return None,
        })
    }
}

/// A text in which nothing reads as a specifier.
pub(super) fn escape_specifiers(value: &str) -> Zeroizing<String> {
    Zeroizing::new(value.replace('%', "%%"))
}
