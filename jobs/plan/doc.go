// Package plan describes a pipeline for people and programs: New makes the description, Plan.Text
// prints its summary or sections (the graph, tables, which edges keep state and why, stars, the DDL
// of warehouses, and the statements by which they load), Plan.Flowchart draws it, and
// Plan.LineageOf says what columns are made of. The graph is not derived here: New takes it from
// the graph.Plan that the engine runs, lineage from what nodes say of themselves
// (pipeline.LineageReporter), and the rest from the file.
//
// Lineage is a graph of columns, as nodes tell it one by one. A column's inputs are columns that
// it is made of, or leaves; where all of it ends is gathered once for each column. People see it
// as a tree, in which each column is written out once: a column may be reached on very many ways.
package plan
