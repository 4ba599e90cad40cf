//! Where what stands in the store: keys of `/precedent/FLEET/`.
//!
//! | key | who writes | who reads |
//! |---|---|---|
//! | `reports/NODE` | the node | all |
//! | `alive/NODE` | the node; goes with its lease | all |
//! | `assignments/NODE/` | the elected node | the node |
//! | `sealed/NODE/ID` | who has what the node needs; goes with the writer's lease | the node, which removes it |
//! | `leader` | who is elected; goes with its lease | all |
//! | `generation` | the elected node | all |
//! | `guards/NAME` | who does what only one may; goes with its lease | all |
//! | `renewals/CREDENTIAL` | who renews it | all |
//! | `rotations/CREDENTIAL` | who rotates it | all |
//! | `progress/NODE/CREDENTIAL` | the node | all |

/// The keys of one fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    root: String,
}

impl Space {
    /// The keys of the fleet of this name.
    #[must_use]
    pub fn new(fleet: &str) -> Self {
        Self { root: format!("/precedent/{fleet}/") }
    }

    /// What all keys of the fleet begin with.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// What a node publishes of itself; all of them for an empty name.
    #[must_use]
    pub fn report(&self, node: &str) -> String {
        format!("{}reports/{}", self.root, part(node))
    }

    pub(super) fn alive(&self, node: &str) -> String {
        format!("{}alive/{}", self.root, part(node))
    }

    /// What is decided for a node; all of them for an empty name. It ends with a `/`: a node waits for what begins
    /// with it, and that is to be nothing of a node whose name begins with its own.
    #[must_use]
    pub fn assignment(&self, node: &str) -> String {
        let end = if node.is_empty() { "" } else { "/" };
        format!("{}assignments/{}{end}", self.root, part(node))
    }

    pub(super) fn sealed(&self, node: &str, id: &str) -> String {
        format!("{}sealed/{}/{id}", self.root, part(node))
    }

    pub(super) fn leader(&self) -> String {
        format!("{}leader", self.root)
    }

    pub(super) fn generation(&self) -> String {
        format!("{}generation", self.root)
    }

    pub(super) fn guard(&self, name: &str) -> String {
        format!("{}guards/{}", self.root, part(name))
    }

    pub(super) fn renewal(&self, credential: &str) -> String {
        format!("{}renewals/{}", self.root, part(credential))
    }

    /// How a rotation of a credential stands; all of them for an empty name.
    pub(super) fn rotation(&self, credential: &str) -> String {
        format!("{}rotations/{}", self.root, part(credential))
    }

    pub(super) fn progress(&self, node: &str, credential: &str) -> String {
        format!("{}progress/{}/{}", self.root, part(node), part(credential))
    }

    /// All that nodes say of rotations.
    pub(super) fn all_progress(&self) -> String {
        format!("{}progress/", self.root)
    }

    /// All that is done by one node alone.
    pub(super) fn all_guards(&self) -> String {
        format!("{}guards/", self.root)
    }

    /// The name at the end of a key of which `prefix` is the beginning.
    pub(super) fn name(prefix: &str, key: &str) -> String {
        let name = key.strip_prefix(prefix).unwrap_or(key).trim_end_matches('/');
        name.replace("%2F", "/").replace("%25", "%")
    }
}

/// A name as one part of a key or of a path: it may hold a `/`, which parts are told by.
pub(super) fn part(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}
