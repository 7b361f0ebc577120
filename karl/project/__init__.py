"""A project folder: `karl.toml`, graphs and prompts that begin as the built-in ones, and what editors need."""

from karl.project.folder import init_project, project_files, schema_text, write_file

__all__ = ["init_project", "project_files", "schema_text", "write_file"]
