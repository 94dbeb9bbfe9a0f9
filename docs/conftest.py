"""What pytest skips when it runs the code blocks of these pages."""

collect_ignore_glob = ["conf.py", "check_site.py", "_build/*", "auto_examples/*", "generated/*"]
