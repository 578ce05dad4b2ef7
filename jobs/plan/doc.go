// Package plan describes a pipeline for people and programs: its tables, its graph as text
// and as Mermaid diagrams, which edges keep state and why, and the DDL of its warehouses.
// New makes the description, Plan.Text and Plan.Flowchart print it. Nothing is derived here:
// it describes the graph.Plan that the engine runs.
package plan
