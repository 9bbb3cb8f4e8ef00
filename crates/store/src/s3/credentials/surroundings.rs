//! What keys are looked up by: variables of the environment and a profile asked for by name.
//!
//! Only `rollsnap` reads the environment. It hands over what AWS' own tools read, so that tests
//! own all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// What keys are looked up by. `Debug` shows names only, as values may be secret.
#[derive(Clone, Default)]
pub struct Surroundings {
    variables: BTreeMap<String, Zeroizing<String>>,
    profile: Option<String>,
}

impl Surroundings {
    /// Whether a variable of this name is of any use here: `HOME` and what begins with `AWS_`.
    pub fn knows(name: &str) -> bool {
        name == "HOME" || name.starts_with("AWS_")
    }

    /// Asks for one profile of the shared files by name. Keys in the environment are not looked
    /// at then.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// The first of these that is set and not empty.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The profile that was asked for by name, not by a variable.
    pub(super) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// A file that a variable names, else one below the home directory.
    pub(super) fn file(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.get(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(self.get("HOME")?).join(below_home)))
    }

    /// The region that the environment names.
    pub(super) fn region(&self) -> Option<&str> {
        self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
    }

    /// Where the token service is asked: at `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL`, else in
    /// the region, else at the one endpoint that is older than regions.
    pub(super) fn token_service(&self, region: Option<&str>) -> String {
        if let Some(url) = self.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]) {
            return url.trim_end_matches('/').to_owned();
        }
        match self.region().or(region) {
            Some(region) if region.starts_with("cn-") => {
                format!("https://sts.{region}.amazonaws.com.cn")
            }
            Some(region) => format!("https://sts.{region}.amazonaws.com"),
            None => String::from("https://sts.amazonaws.com"),
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Surroundings {
    /// Takes variables; those that it does not [know](Self::knows) are left.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| {
            let (name, value) = (name.into(), Zeroizing::new(value.into()));
            (name, value)
        });
        Self {
            variables: pairs.filter(|(name, _)| Self::knows(name)).collect(),
            profile: None,
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("variables", &self.variables.keys())
            .field("profile", &self.profile)
            .finish()
    }
}
