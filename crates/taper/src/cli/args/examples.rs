//! The examples under each `--help`. A test parses every one of them.

pub(super) const TAPER: &str = "\
Examples:
  taper pipeline                           # train, evaluate, export
  taper predict my-seven.png               # the newest run answers
  taper train --help                       # every word has examples of its own";

pub(super) const PIPELINE: &str = "\
Examples:
  taper pipeline                           # MNIST and the reference network
  taper pipeline --data-dir ~/mnist --recipe best
  taper pipeline --data-dir photos --image-size 32 --model residual
  taper pipeline --dataset synthetic --epochs 1 --out runs/try
  taper pipeline --config runs/mnist-tutorial/config.toml --out runs/again";

pub(super) const DOWNLOAD: &str = "\
Examples:
  taper download
  taper download --data-dir ~/mnist        # only checks what is there
  taper download --dataset synthetic";

pub(super) const TRAIN: &str = "\
Examples:
  taper train --model lenet5 --epochs 3 --schedule one-cycle --lr 0.004
  taper train --model mine.toml --optimizer adamw --weight-decay 0.05
  taper train --recipe best --out runs/best
  taper train --recipe best --out runs/best --resume   # goes on with it";

pub(super) const LR_FIND: &str = "\
Examples:
  taper lr-find --model lenet5
  taper lr-find --optimizer sgd --from 1e-4 --to 10 --out curve.csv";

pub(super) const EVALUATE: &str = "\
Examples:
  taper evaluate                           # the newest run
  taper evaluate runs/mnist-lenet5 --tta --json";

pub(super) const EXPORT: &str = "\
Examples:
  taper export runs/mnist-tutorial         # model.onnx of that run
  taper export runs/mnist-tutorial --int8 --out small.onnx
  taper export --uint8-input=nhwc --softmax --out camera.onnx
  taper export theirs.safetensors --model lenet5 --rename features.0=conv1 \\
      --out theirs.onnx                    # weights of PyTorch's";

pub(super) const PREDICT: &str = "\
Examples:
  taper predict my-seven.png               # the newest run answers
  taper predict --run runs/mnist-lenet5 one.png two.jpg
  taper predict one.png two.png --quiet    # a line for each
  taper predict one.png --json             # all classes, and the pixels";

pub(super) const REPORT: &str = "\
Examples:
  taper report                             # of the newest run
  taper report runs/mnist-lenet5 --data-dir ~/mnist";

pub(super) const DEMO: &str = "\
Examples:
  taper demo                               # the newest run; prints the address
  taper demo runs/mnist-lenet5 --port 0    # on any port that is free
  taper demo small.onnx                    # any file with images as its input
  taper demo --out site                    # a folder, for any web server";

pub(super) const COMPARE: &str = "\
Examples:
  taper compare runs/mnist-tutorial runs/mnist-lenet5
  taper compare runs/a runs/b runs/c --html compare.html
  taper compare runs/a runs/b --json";

pub(super) const SUMMARY: &str = "\
Examples:
  taper summary
  taper summary --model residual --input 3x32x32 --classes 100
  taper summary --model residual --toml > mine.toml
  taper summary --model mine.toml --plan   # what training runs";

pub(super) const INSPECT: &str = "\
Examples:
  taper inspect runs/mnist-tutorial/model.onnx
  taper inspect theirs.onnx --json";

pub(super) const REFERENCE: &str = "\
Examples:
  taper reference runs/mnist-tutorial --out reference.safetensors";

pub(super) const COMPLETIONS: &str = "\
Examples:
  taper completions bash > ~/.local/share/bash-completion/completions/taper
  taper completions zsh > ~/.zfunc/_taper  # a folder in $fpath
  taper completions fish > ~/.config/fish/completions/taper.fish";

pub(super) const MAN: &str = "\
Examples:
  taper man | man -l -                     # read it
  taper man --out ~/.local/share/man/man1  # then: man taper, man taper-train";
