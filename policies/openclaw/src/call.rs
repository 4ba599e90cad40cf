//! What a caller may ask of the client's resolver beside its usual order, as OpenClaw's own programs do
//! of one another. The snapshot has each as a fact `option.NAME`; the secrets that a caller may hand
//! over are locations, [`Place::Call`].

use precedent_guest::Snapshot;

use crate::{
    AuthMode, Credential, Mode, Place,
    Place::{Auth, Env, LegacyEnv, Remote},
    Version, era,
};

/// What a caller asks.
#[derive(Debug, Clone, Copy)]
pub struct Call<'s> {
    snapshot: &'s Snapshot,
}

/// Who sends a client to another URL than the configuration's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Url {
    /// The environment.
    Environment,
    /// The caller, or nobody says.
    Caller,
}

impl<'s> Call<'s> {
    /// Reads what the caller asks.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot) -> Self {
        Self { snapshot }
    }

    fn option(&self, name: &str) -> Option<&'s str> {
        self.snapshot.fact(name)
    }

    /// The mode that a client takes instead of the configuration's.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match self.option("option.modeOverride").or_else(|| self.option("option.mode"))? {
            "remote" => Some(Mode::Remote),
            _ => Some(Mode::Local),
        }
    }

    /// The mode of authentication that the server takes instead of the configuration's.
    #[must_use]
    pub fn auth_mode(&self) -> Option<AuthMode> {
        self.option("option.authOverride.mode").map(AuthMode::from_name)
    }

    /// Who sends the client elsewhere, if anybody does.
    #[must_use]
    pub fn url(&self) -> Option<Url> {
        let given = |name| self.option(name).is_some_and(|url| !url.trim().is_empty());
        if given("option.url") {
            return Some(Url::Caller);
        }
        given("option.urlOverride").then(|| match self.option("option.urlOverrideSource") {
            Some("env") => Url::Environment,
            _ => Url::Caller,
        })
    }

    /// Whether the client shall not look at the variables of the earlier name.
    #[must_use]
    pub fn forgoes_legacy_names(&self) -> bool {
        self.option("option.includeLegacyEnv") == Some("false")
    }

    /// The order that it asks for; none where it leaves the usual one.
    #[must_use]
    pub fn order(
        &self,
        version: Version,
        mode: Mode,
        credential: Credential,
    ) -> Option<&'static [Place]> {
        match mode {
            Mode::Local => match self.local(version, credential)? {
                "env-first" => Some(&[Env, LegacyEnv, Auth, Remote]),
                _ if era::has_one_local_precedence(version) => Some(&[Auth, Env, Remote]),
                _ => Some(&[Auth, Remote, Env, LegacyEnv]),
            },
            Mode::Remote => self.remote(credential),
        }
    }

    fn local(&self, version: Version, credential: Credential) -> Option<&'s str> {
        if era::has_one_local_precedence(version) {
            return self.option("option.localPrecedence");
        }
        self.option(match credential {
            Credential::Token => "option.localTokenPrecedence",
            Credential::Password => "option.localPasswordPrecedence",
        })
    }

    fn remote(&self, credential: Credential) -> Option<&'static [Place]> {
        let (precedence, fallback) = match credential {
            Credential::Token => ("option.remoteTokenPrecedence", "option.remoteTokenFallback"),
            Credential::Password => {
                ("option.remotePasswordPrecedence", "option.remotePasswordFallback")
            }
        };
        if self.option(fallback) == Some("remote-only") {
            return Some(&[Remote]);
        }
        match self.option(precedence)? {
            "env-first" => Some(&[Env, LegacyEnv, Remote, Auth]),
            _ => Some(&[Remote, Env, LegacyEnv, Auth]),
        }
    }
}
