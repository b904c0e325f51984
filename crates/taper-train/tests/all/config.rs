//! The configuration file's `[train]` table.

use taper_train::{FitConfig, Optimizer, Recipe, Schedule};

#[test]
fn the_defaults_are_those_of_pytorchs_tutorials() {
    let config = FitConfig::default();
    assert_eq!((config.epochs, config.batch_size, config.learning_rate), (5, 100, 1e-3));
    assert_eq!((config.schedule, config.label_smoothing), (Schedule::Constant, 0.0));
    assert_eq!(config.optimizer, Optimizer::Adam { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 });
    assert_eq!(toml::from_str::<FitConfig>("").unwrap(), config);
}

#[test]
fn every_configuration_survives_its_file() {
    let optimizers = [
        Optimizer::adam(),
        Optimizer::adamw(),
        Optimizer::sgd(0.9),
        Optimizer::Sgd { momentum: 0.5, nesterov: true, weight_decay: 1e-4 },
    ];
    for optimizer in optimizers {
        for schedule in Schedule::ALL {
            let config = FitConfig {
                optimizer,
                schedule,
                label_smoothing: 0.1,
                warmup: 0.0,
                seed: 7,
                ..Recipe::Best.config()
            };
            config.validate().unwrap();
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<FitConfig>(&text).unwrap(), config, "{text}");
            assert!(text.contains(&format!("name = \"{}\"", optimizer.name())), "{text}");
        }
    }
}

#[test]
fn what_a_file_leaves_out_has_pytorchs_default() {
    let read = |text: &str| toml::from_str::<FitConfig>(text).unwrap();
    assert_eq!(read("optimizer = { name = \"sgd\" }").optimizer, Optimizer::sgd(0.0));
    assert_eq!(read("[optimizer]\nname = \"sgd\"\nmomentum = 0.9").optimizer, Optimizer::sgd(0.9));
    assert_eq!(read("optimizer = { name = \"adamw\" }").optimizer, Optimizer::adamw());
    assert_eq!(
        read("optimizer = { name = \"adam\", betas = [0.8, 0.9] }").optimizer,
        Optimizer::Adam { betas: [0.8, 0.9], eps: 1e-8, weight_decay: 0.0 }
    );
    let config = read("epochs = 2\nschedule = \"one_cycle\"");
    assert_eq!(config, FitConfig { epochs: 2, schedule: Schedule::OneCycle, ..FitConfig::default() });
}

#[test]
fn unknown_words_are_refused_and_named() {
    let cases = [
        ("epoch = 2", "epoch"),
        ("schedule = \"step\"", "one_cycle"),
        ("optimizer = { name = \"adamax\" }", "adamw"),
        ("optimizer = { name = \"sgd\", momentun = 0.9 }", "momentun"),
        ("optimizer = { name = \"adam\", momentum = 0.9 }", "momentum"),
        ("optimizer = { name = \"adam\", betas = [0.9] }", "length"),
        ("epochs = -1", "epochs"),
        ("augment = { rotate = 5 }", "rotate"),
        ("augment = { shift = 1.5 }", "shift"),
    ];
    for (text, word) in cases {
        let error = toml::from_str::<FitConfig>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn every_setting_out_of_range_is_refused_and_named() {
    let with = |change: &dyn Fn(&mut FitConfig)| {
        let mut config = FitConfig::default();
        change(&mut config);
        config.validate().unwrap_err()
    };
    let adam = |betas, eps, weight_decay| Optimizer::Adam { betas, eps, weight_decay };
    let sgd = |momentum, nesterov| Optimizer::Sgd { momentum, nesterov, weight_decay: 0.0 };
    let mut cases = vec![
        (with(&|c| c.epochs = 0), "epochs is 0; it must be at least 1"),
        (with(&|c| c.batch_size = 0), "batch_size is 0; it must be at least 1, such as 100"),
        (with(&|c| c.optimizer = adam([1.0, 0.9], 1e-8, 0.0)), "optimizer.betas[0] is 1"),
        (with(&|c| c.optimizer = adam([0.9, -0.1], 1e-8, 0.0)), "optimizer.betas[1] is -0.1"),
        (with(&|c| c.optimizer = adam([0.9, 0.9], f64::NAN, 0.0)), "optimizer.eps is NaN"),
        (with(&|c| c.optimizer = adam([0.9, 0.9], 1e-8, f64::INFINITY)), "optimizer.weight_decay is inf"),
        (with(&|c| c.optimizer = sgd(1.0, false)), "optimizer.momentum is 1"),
        (with(&|c| c.optimizer = sgd(0.0, true)), "optimizer.nesterov is true"),
    ];
    cases.extend([
        (with(&|c| c.warmup = 1.0), "warmup is 1; it must be a number from 0"),
        (with(&|c| (c.warmup, c.schedule) = (0.1, Schedule::OneCycle)), "warmup is 0.1; it must be 0 with"),
        (with(&|c| c.dropout = Some(1.0)), "dropout is 1"),
        (with(&|c| c.ema_decay = Some(f64::NAN)), "ema_decay is NaN"),
        (with(&|c| c.clip_norm = Some(0.0)), "clip_norm is 0"),
        (with(&|c| c.early_stopping = Some(0)), "early_stopping is 0"),
        (with(&|c| c.augment.scale = 2.0), "augment.scale is 2; it must be a fraction from 0 to 0.9"),
    ]);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        cases.push((with(&|c| c.learning_rate = rate), "learning_rate is "));
    }
    for smoothing in [-0.1, 1.0, f64::NAN] {
        cases.push((with(&|c| c.label_smoothing = smoothing), "label_smoothing is "));
    }
    for (error, start) in cases {
        assert!(error.to_string().starts_with(start), "{error}");
    }
}
