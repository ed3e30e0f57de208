"""Makes tables, plots and costs of what `make bench` has measured, and puts them where the docs quote them."""
