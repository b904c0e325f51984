//! Tensors of a file under the names that a network has for them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use taper_graph::Array;

/// How the tensors of a file are called in a network: a list of rules, the first of which that fits a tensor renames
/// it; a tensor that none fits keeps its name.
///
/// ```
/// use taper_export::safetensors::{Rename, Renames};
/// // A module that was wrapped, and whose first block has another name in the network.
/// let renames = Renames::new(["module.features.0=layer1.0".parse()?, "module=".parse::<Rename>()?]);
/// assert_eq!(renames.rename("module.features.0.weight"), "layer1.0.weight");
/// assert_eq!(renames.rename("module.fc1.bias"), "fc1.bias");
/// assert_eq!(renames.rename("modules.bias"), "modules.bias");
/// # Ok::<(), taper_export::safetensors::BadRename>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Renames {
    rules: Vec<Rename>,
}

/// One rule, written `FROM=TO`: the tensor FROM and all below it (`FROM.weight`, `FROM.0.bias`) get TO in the place of
/// FROM. An empty TO takes FROM off; an empty FROM puts TO before every name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
}

/// A text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` does not say how to rename a tensor; write FROM=TO, such as features.0=layer1.0")]
pub struct BadRename {
    text: String,
}

/// Why tensors cannot be renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenameError {
    /// A rule fits no tensor that an earlier one does not.
    #[error("no tensor is left to be renamed by `{rule}`; the tensors are {tensors}")]
    Unused {
        /// The rule.
        rule: String,
        /// The names in the file.
        tensors: String,
    },
    /// Two tensors would bear one name.
    #[error("`{first}` and `{second}` would both be called `{name}`; give each a name of its own")]
    Clash {
        /// A tensor of the file.
        first: String,
        /// Another.
        second: String,
        /// The name both would get.
        name: String,
    },
}

impl Rename {
    /// What `name` becomes, if the rule fits it.
    fn apply(&self, name: &str) -> Option<String> {
        let below = if self.from.is_empty() {
            name
        } else {
            let rest = name.strip_prefix(&self.from)?;
            if rest.is_empty() { rest } else { rest.strip_prefix('.')? }
        };
        let parts = [self.to.as_str(), below].into_iter().filter(|part| !part.is_empty());
        Some(parts.collect::<Vec<_>>().join("."))
    }
}

impl FromStr for Rename {
    type Err = BadRename;

    fn from_str(text: &str) -> Result<Self, BadRename> {
        match text.split_once('=') {
            Some((from, to)) if text != "=" && !to.contains('=') => {
                Ok(Self { from: from.trim().to_owned(), to: to.trim().to_owned() })
            }
            _ => Err(BadRename { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl Renames {
    /// These rules, in this order.
    pub fn new(rules: impl IntoIterator<Item = Rename>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// What the network calls the tensor `name` of a file.
    pub fn rename(&self, name: &str) -> String {
        self.rule_for(name).map_or_else(|| name.to_owned(), |(_, renamed)| renamed)
    }

    /// The first rule that fits, by its place, and the new name.
    fn rule_for(&self, name: &str) -> Option<(usize, String)> {
        self.rules.iter().enumerate().find_map(|(place, rule)| Some((place, rule.apply(name)?)))
    }

    /// All tensors under their new names.
    ///
    /// # Errors
    /// [`RenameError`] for a rule that renames nothing, and for two tensors of one name.
    pub fn apply(&self, arrays: BTreeMap<String, Array>) -> Result<BTreeMap<String, Array>, RenameError> {
        let names: Vec<String> = arrays.keys().cloned().collect();
        let mut used = vec![false; self.rules.len()];
        let mut origins = BTreeMap::<String, String>::new();
        let mut renamed = BTreeMap::new();
        for (name, array) in arrays {
            let new = match self.rule_for(&name) {
                Some((place, new)) => {
                    used[place] = true;
                    new
                }
                None => name.clone(),
            };
            if let Some(first) = origins.insert(new.clone(), name.clone()) {
                return Err(RenameError::Clash { first, second: name, name: new });
            }
            renamed.insert(new, array);
        }
        match used.iter().zip(&self.rules).find(|(used, _)| !**used) {
            Some((_, rule)) => Err(RenameError::Unused { rule: rule.to_string(), tensors: names.join(", ") }),
            None => Ok(renamed),
        }
    }
}
