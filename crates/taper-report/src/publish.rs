//! How the folder gets onto the Hugging Face Hub: a comment, which readers there do not see.

use crate::card::ModelCard;

/// Everything in the folder but hidden files and what an unfinished run goes on from. `hf` comes with the Python package
/// `huggingface_hub`.
const UPLOAD: &str = "hf upload USER/NAME . . --exclude 'checkpoints/*' --exclude '.*'";

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let licence = match card.options.license {
        Some(_) => "",
        None => {
            "\nFirst say which licence the weights are under: put `license = \"mit\"`, or another, on top of config.toml and \
             run `taper evaluate .`\n"
        }
    };
    format!("<!--\nTo put this folder on the Hugging Face Hub:\n\n    {UPLOAD}\n{licence}-->")
}
