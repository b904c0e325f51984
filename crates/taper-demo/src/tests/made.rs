//! A network, a runtime and a page that are only names and a few bytes.

use std::fs;
use std::path::Path;

use crate::runtime::Bytes;
use crate::{Answer, Drawing, Element, Input, Layout, Network, Output, Page, Runtime, Sample};

pub(crate) fn network() -> Network {
    Network {
        name: "lenet5".to_owned(),
        input: Input {
            name: "image".to_owned(),
            element: Element::Float32 { low: -1.0, high: 1.0 },
            layout: Layout::Nchw,
            channels: 1,
            height: 2,
            width: 3,
        },
        drawing: Drawing::Picture,
        output: Output { name: "logits".to_owned(), answer: Answer::Logits },
        classes: vec!["cat".to_owned(), "</script>".to_owned()],
        dataset: Some("pets".to_owned()),
        accuracy: Some(0.5),
    }
}

pub(crate) fn sample() -> Sample {
    Sample { label: "cat".to_owned(), pixels: vec![0, 1, 2, 3, 4, 255] }
}

pub(crate) fn runtime() -> Runtime {
    let bytes = |text: &str| Bytes(text.as_bytes().into());
    Runtime { script: bytes("export {};"), wasm: bytes("\0asm") }
}

/// A page of files in `folder`.
pub(crate) fn page(folder: &Path) -> Page {
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let page = Page::new(&network(), file("lenet5.onnx", "onnx")).unwrap();
    page.weights("lenet5.onnx.data", file("weights", "weights")).unwrap().samples(vec![sample()]).unwrap()
}
