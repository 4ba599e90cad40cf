//! From a manifest and a policy to a host.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Event, Host, Installation,
    event::Observer,
    installation::{Clock, SharedWorld},
};
use crate::{
    Error,
    artifact::PolicyRef,
    config::{Deployment, Manifest, ManifestError, read_text},
    decide::{Engine, Limits},
    observe::{Machine, World},
    record::{OwnKey, StateFolder},
    secret::Key,
};

/// How long to wait while another run has the deployment, where nobody says.
const WAIT: Duration = Duration::from_secs(10);

/// Where the deployment comes from.
enum Source {
    /// The preset `openclaw`.
    Preset,
    File(PathBuf),
    Text(PathBuf, String),
    Deployment(Box<Deployment>),
}

/// What a [`Host`] is made of. All of it may be left out: then it is the preset `openclaw` on this
/// machine under the policy `binary`, without a journal.
#[must_use]
pub struct Builder {
    source: Source,
    policy: Option<PolicyRef>,
    limits: Option<Limits>,
    engine: Option<Engine>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    key: Option<Key>,
    world: SharedWorld,
    clock: Clock,
    observer: Observer,
    verb: String,
    wait: Duration,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("verb", &self.verb).finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            source: Source::Preset,
            policy: None,
            limits: None,
            engine: None,
            state: None,
            cache: None,
            key: None,
            world: Arc::new(Machine::default()),
            clock: Arc::new(SystemTime::now),
            observer: Observer::default(),
            verb: "embedded".to_owned(),
            wait: WAIT,
        }
    }
}

impl Builder {
    /// Takes the deployment from a manifest, which is read by [`Builder::build`].
    pub fn manifest(mut self, path: impl Into<PathBuf>) -> Self {
        self.source = Source::File(path.into());
        self
    }

    /// Takes the deployment from a manifest's text. `path` is for messages, and what relative paths are
    /// relative to; nothing need be there.
    pub fn manifest_text(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.source = Source::Text(path.into(), text.into());
        self
    }

    /// Takes a deployment that is put together already. Its grants stay as they are, whichever policy
    /// decides.
    pub fn deployment(mut self, deployment: Deployment) -> Self {
        self.source = Source::Deployment(Box::new(deployment));
        self
    }

    /// Has this policy decide instead of the manifest's own: the name of a shipped one or the path of a
    /// component, a path, or a component's bytes. A relative path is relative to the working directory.
    pub fn policy(mut self, policy: impl Into<PolicyRef>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Sets the bounds of one decision, in the place of the manifest's.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Runs policies on an engine of the caller's, which several hosts may share: one that keeps room for
    /// instances ready, say ([`Engine`] has `pooling` with the feature of that name). It is to be made with
    /// the deployment's limits. Without it, the host makes one of its own.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Keeps a journal in a folder, with the key, the lock and the backups of the runs. Without one,
    /// fingerprints are good for this host only, two runs may write at once, and a change of more than one
    /// file is refused, for a kill could leave a part of it.
    pub fn journal(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// Keeps compiled policies in a folder, if the journal's key is nobody else's.
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Takes this key for the installation's, for whoever keeps it elsewhere than beside the journal.
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Looks at another world than this machine. What is written is this machine's all the same.
    pub fn world(mut self, world: impl World + Send + 'static) -> Self {
        self.world = Arc::new(world);
        self
    }

    /// Asks this clock what time it is.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Has somebody told what happens in each run, as it happens and on its thread. The library itself
    /// prints nothing, so this is where warnings go: see [`Event::is_warning`].
    pub fn observer(mut self, tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(tell);
        self
    }

    /// Sets the name under which runs stand in the journal. `embedded` otherwise.
    pub fn verb(mut self, name: impl Into<String>) -> Self {
        self.verb = name.into();
        self
    }

    /// Sets how long to wait while another run has the deployment. 10 s otherwise.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Reads the manifest, loads the policy and has it check its settings.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where, and what is allowed.
    pub fn build(self) -> Result<Host, Error> {
        Host::open(Arc::new(self.installation()?))
    }

    /// Reads the manifest, and loads no policy.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where, and what is allowed.
    pub fn installation(self) -> Result<Installation, Error> {
        let policy = self.policy.map(PolicyRef::from_here).transpose()?;
        let mut deployment = match (self.source, policy) {
            (Source::Preset, policy) => Deployment::without_manifest(policy.unwrap_or_default())?,
            (Source::File(path), policy) => {
                let text = read_text(&path).map_err(|error| unreadable(&path, &error))?;
                read(&path, &text, policy)?
            }
            (Source::Text(path, text), policy) => read(&path, &text, policy)?,
            (Source::Deployment(mut deployment), policy) => {
                if let Some(policy) = policy {
                    deployment.policy = policy;
                }
                *deployment
            }
        };
        deployment.limits = self.limits.unwrap_or(deployment.limits);
        let state = self.state.map(StateFolder::new);
        let key = match self.key {
            Some(key) => OwnKey::given(key),
            None => OwnKey::of(state.as_ref(), &|event| self.observer.tell(*event))?,
        };
        Ok(Installation {
            deployment,
            engine: self.engine,
            key,
            state,
            cache: self.cache,
            world: self.world,
            clock: self.clock,
            observer: self.observer,
            verb: self.verb,
            wait: self.wait,
        })
    }
}

fn read(path: &Path, text: &str, policy: Option<PolicyRef>) -> Result<Deployment, Error> {
    let manifest = Manifest::parse(path, text)?;
    Ok(Deployment::new(path, text, &manifest, policy)?)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("the manifest cannot be read: {error}");
    ManifestError { path: path.to_owned(), at: None, message, line: None }.into()
}
