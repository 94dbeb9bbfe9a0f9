"""Libraries that take scikit-learn's estimators, each tried with ladreg's: the table of docs/user_guide/clients.rst."""
