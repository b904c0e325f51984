//! What a card tells of `taper predict`.

use taper_graph::{Graph, Linear, Op};
use taper_report::{CardOptions, ModelCard};

use crate::{data, scores};

#[test]
fn pictures_are_prepared_as_the_card_tells() {
    let plain =
        |size: &str| format!("scales and crops them to {size} pixels and leaves light and dark as they are");
    let digits = "scales and centres them as MNIST does".to_owned();
    for (name, source, image, told) in [
        ("mnist", "hub:ylecun/mnist@main", [1, 28, 28], Some(digits.clone())),
        ("qmnist", "idx", [1, 28, 28], Some(digits.clone())),
        ("custom", "idx", [1, 28, 28], Some(digits)),
        ("fashion-mnist", "idx", [1, 28, 28], Some(plain("28×28"))),
        ("kmnist", "hub:tanganke/kmnist@main", [1, 28, 28], Some(plain("28×28"))),
        ("cifar10", "cifar", [3, 32, 32], Some(plain("32×32"))),
        ("photos", "folder:48x64", [3, 48, 64], Some(plain("48×64"))),
        // Nothing makes such an image of a picture.
        ("mnist", "idx", [1, 32, 32], None),
        ("custom", "idx", [3, 28, 28], None),
        ("photos", "folder:8x8", [2, 8, 8], None),
    ] {
        let graph = Graph::sequential("any", &image, [Op::Flatten, Op::Linear(Linear::new(10))]).unwrap();
        let scores = scores(10);
        let card = ModelCard::new(&graph, data(name, source, None), &scores, CardOptions::default()).render();
        assert_eq!(card.contains("taper predict --run ."), told.is_some(), "{name} {image:?}: {card}");
        assert!(told.is_none_or(|told| card.contains(&told)), "{name} {image:?}: {card}");
    }
}

#[test]
fn what_is_no_character_of_yaml_becomes_a_space() {
    let graph = Graph::sequential("any", &[4], [Op::Linear(Linear::new(10))]).unwrap();
    let name = "a\u{fffe}b\u{ffff}c\u{2028}d\u{7}e";
    let card = ModelCard::new(&graph, data(name, "x", None), &scores(10), CardOptions::default()).render();
    assert!(
        card.contains("      type: \"a b c d e\"\n") && card.contains("# `any` on a b c d e\n"),
        "{card}"
    );
}
