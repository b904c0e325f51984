//! Settings by name.

use taper_train::{FitConfig, Recipe};

#[test]
fn every_recipe_is_valid_found_by_its_name_and_survives_a_file() {
    for recipe in Recipe::ALL {
        let config = recipe.config();
        config.validate().unwrap();
        assert_eq!(recipe.name().parse::<Recipe>().unwrap(), recipe);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<FitConfig>(&text).unwrap(), config, "{text}");
    }
    let error = "quick".parse::<Recipe>().unwrap_err().to_string();
    assert!(Recipe::ALL.iter().all(|recipe| error.contains(recipe.name())), "{error}");
}
