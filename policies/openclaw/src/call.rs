//! What a caller may ask of the client's resolver beside its usual order, as OpenClaw's own programs do
//! of one another. The snapshot has each as a fact `option.NAME`.

use precedent_guest::Snapshot;

use crate::{
    Credential, Mode, Place,
    Place::{Auth, Env, Remote},
    Version, era,
};

/// What a caller asks.
#[derive(Debug, Clone, Copy)]
pub struct Call<'s> {
    snapshot: &'s Snapshot,
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

    /// The mode that it takes instead of the configuration's.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        match self.option("option.modeOverride")? {
            "remote" => Some(Mode::Remote),
            _ => Some(Mode::Local),
        }
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
                "env-first" => Some(&[Env, Auth, Remote]),
                _ => Some(&[Auth, Env, Remote]),
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
            "env-first" => Some(&[Env, Remote, Auth]),
            _ => Some(&[Remote, Env, Auth]),
        }
    }
}
