//! What makes an ensemble of decision trees malformed or unprovable at one of its nodes.

/// A property that a node of a decision tree must have and this one lacks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeDefect {
    /// Two nodes have one id.
    #[error("its id is given to two nodes")]
    Duplicate,
    /// A branch leads to a node that is not there.
    #[error("its {branch} branch leads to node {child}, which does not exist")]
    MissingChild {
        /// `true` or `false`.
        branch: bool,
        /// The id of the child.
        child: i64,
    },
    /// Weights are given to a node that is not there.
    #[error("weights are given to this node, which does not exist")]
    MissingNode,
    /// The nodes form a cycle.
    #[error("it lies on a cycle of branches, or can be reached from one only")]
    Cycle,
    /// The node where a tree starts has a parent.
    #[error("a branch leads to the node where the tree starts, so the tree has no root")]
    NoRoot,
    /// A tree has more than one root.
    #[error("no branch leads to it, and the tree starts at another node: the tree has two roots")]
    SecondRoot,
    /// The nodes of a tree are scattered over the list.
    #[error("nodes of other trees are listed between it and its tree; list the nodes of each tree together")]
    Scattered,
    /// A branch reads a feature that the input does not have.
    #[error("it reads feature {feature}, but the input has {features}")]
    Feature {
        /// Feature.
        feature: i64,
        /// Number of features.
        features: usize,
    },
    /// A leaf adds to a score that is not there.
    #[error("it adds to target or class {target}, but there are {targets}")]
    Target {
        /// Target or class.
        target: i64,
        /// Number of targets or classes.
        targets: usize,
    },
    /// A leaf gives one target two weights.
    #[error("it gives target or class {target} two weights")]
    TargetTwice {
        /// Target or class.
        target: usize,
    },
    /// A leaf gives no weight.
    #[error("it is a leaf without weights")]
    NoWeights,
    /// A threshold is not a number.
    #[error("its threshold is NaN")]
    Threshold,
    /// A weight is NaN or infinite.
    #[error("a weight is {value}; weights must be finite")]
    Weight {
        /// The weight.
        value: f64,
    },
    /// A double that no `float32` holds.
    #[error("{value:?} is no float32 value; export the model in float32")]
    NotSingle {
        /// The value.
        value: f64,
    },
    /// A branch mode that does not exist or is not supported.
    #[error("its mode {mode} is not supported; use BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF")]
    Mode {
        /// Mode.
        mode: String,
    },
    /// A flag that is neither 0 nor 1.
    #[error("{attribute} = {value}; use 0 or 1")]
    Flag {
        /// Attribute.
        attribute: &'static str,
        /// Value in the file.
        value: i64,
    },
}
