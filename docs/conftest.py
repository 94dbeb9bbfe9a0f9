"""What pytest skips when it runs the code blocks of these pages."""

collect_ignore_glob = ["*.py", "_build/*", "auto_examples/*", "generated/*"]
