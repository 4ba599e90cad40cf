//! Where in a document.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Steps into a JSON document, by RFC 6901. Objects only: an array's element is no stable place.
/// A copy costs a counter: whatever is seen of a place says where that is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer(Arc<[String]>);

impl Pointer {
    /// Reads `/gateway/auth/token`.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(steps) = text.strip_prefix('/') else {
            return Err("a pointer begins with `/`, such as `/gateway/auth/token`");
        };
        let steps = unescaped(steps);
        if steps.iter().any(String::is_empty) {
            return Err("a pointer has no empty step");
        }
        Ok(Self(steps.into()))
    }

    /// The pointer without its first steps.
    pub(crate) fn after_step(&self, first: usize) -> Self {
        Self(self.0.get(first..).unwrap_or_default().into())
    }

    /// The pointer with a step more.
    pub(crate) fn then(&self, step: &str) -> Self {
        Self(self.0.iter().map(String::as_str).chain([step]).map(ToOwned::to_owned).collect())
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// The way a person writes it: `gateway.auth.token`.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.0.join(".")
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescaped(steps: &str) -> Vec<String> {
    steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads what was written, which a person need not have: a document may have a key without a name, and
/// the whole of it has a pointer without steps.
impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        match text.strip_prefix('/') {
            Some(steps) => Ok(Self(unescaped(steps).into())),
            None if text.is_empty() => Ok(Self(Arc::default())),
            None => Err(de::Error::custom("a pointer begins with `/`")),
        }
    }
}
