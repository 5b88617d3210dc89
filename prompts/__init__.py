"""The Markdown templates of the language-model roles, one file per role. Imports nothing of ours."""
