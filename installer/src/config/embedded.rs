//! Configs that are put into an initramfs by themselves. Tools of our ancestors take anything
//! there, and so do we, but say what is wrong with it.

use anyhow::{Result, anyhow};
use nestos_host::term::{self, WithHint};

use super::Language;

/// Returns the Ignition config to embed: the given one, or what a Butane config becomes.
pub fn as_given(bytes: Vec<u8>, name: &str) -> Result<Vec<u8>> {
    let language = Language::of(&bytes);
    let hint = language.advice(&bytes);
    let given = bytes.clone();
    let (config, found) = language.check(bytes, name);
    found.warnings.iter().for_each(term::warning);
    match (found.refusal, language) {
        (None, _) => Ok(config),
        (Some(reason), Language::Ignition) => {
            term::warning(format!(
                "the live system will not come up with {name}, which is not a valid Ignition \
                 config: {reason}"
            ));
            Ok(given)
        }
        (Some(reason), Language::Butane) => {
            Err(anyhow!("{name} is not a valid Butane config: {reason}")).hint(hint)
        }
    }
}
