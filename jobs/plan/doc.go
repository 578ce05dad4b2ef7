// Package plan says what a pipeline would do, for people and programs: its tables, its
// graph as text and as Mermaid diagrams, which edges keep state and why, and the DDL of
// its warehouses. It derives nothing: what it prints is the plan that the engine runs,
// package pipeline/graph.
package plan
