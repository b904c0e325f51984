//! The networks that come with Taper; each is a network file under `presets/`, to read, copy and edit.

use std::fmt;

use crate::error::GraphError;
use crate::graph::Graph;

/// A network that comes with Taper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preset {
    /// The reference CNN: three blocks of convolution, ReLU, max-pool and dropout, then two linear layers.
    #[default]
    Tutorial,
    /// LeNet-5 (LeCun et al. 1998) with ReLU and max-pool, as it is taught today.
    LeNet5,
    /// A small residual network (He et al. 2015) with batch norm and global average pooling.
    Residual,
}

impl Preset {
    /// All presets.
    pub const ALL: [Preset; 3] = [Preset::Tutorial, Preset::LeNet5, Preset::Residual];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Tutorial => "tutorial",
            Preset::LeNet5 => "lenet5",
            Preset::Residual => "residual",
        }
    }

    /// The network file.
    pub fn toml(self) -> &'static str {
        match self {
            Preset::Tutorial => include_str!("../presets/tutorial.toml"),
            Preset::LeNet5 => include_str!("../presets/lenet5.toml"),
            Preset::Residual => include_str!("../presets/residual.toml"),
        }
    }

    /// The network.
    ///
    /// # Errors
    /// None in practice: a test reads every preset.
    ///
    /// ```
    /// let graph = taper_graph::Preset::Tutorial.graph()?;
    /// assert_eq!(graph.parameter_count(), 1_379_557);
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn graph(self) -> Result<Graph, GraphError> {
        Graph::from_toml(self.toml())
    }

    /// The network for images of other sizes, `[C, H, W]`, and another number of classes: the same layers, whose weights are as
    /// large as their inputs then ask for.
    ///
    /// # Errors
    /// [`GraphError`] for images that are too small for its windows, and for no class.
    ///
    /// ```
    /// let graph = taper_graph::Preset::Residual.graph_for([3, 32, 32], 100)?;
    /// assert_eq!(graph.output_shape().to_string(), "[N, 100]");
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn graph_for(self, image: [usize; 3], classes: usize) -> Result<Graph, GraphError> {
        self.graph()?.with_input(&image)?.with_classes(classes)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Preset {
    type Err = GraphError;

    fn from_str(name: &str) -> Result<Self, GraphError> {
        let known = Preset::ALL.map(Preset::name);
        Preset::ALL
            .into_iter()
            .find(|preset| preset.name() == name)
            .ok_or_else(|| GraphError::UnknownPreset { name: name.to_owned(), known: known.join(", ") })
    }
}
