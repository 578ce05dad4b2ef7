// Package plan describes a pipeline for people and programs: its tables, its graph as text
// and as Mermaid diagrams, which edges keep state and why, the DDL of its warehouses, and the statements by which
// they load. New makes the description, Plan.Text and Plan.Flowchart print it. The graph is not
// derived here: New takes it from the graph.Plan that the engine runs, and the rest from the
// file and from what nodes say of themselves.
package plan
