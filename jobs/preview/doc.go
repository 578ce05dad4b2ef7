// Package preview shows the rows that a pipeline makes of the beginning of its input (Run). The
// transforms are the pipeline's own, run by the engine; its state, sinks and dead letters are left
// alone: views in memory stand for them, over a state in a temporary folder. Of sources nothing is
// kept and nobody is told how far they were read. One that has no end is read as far as it goes
// now, if it can be (pipeline.Sampler), and else left out.
package preview
