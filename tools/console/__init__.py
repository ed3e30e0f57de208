"""The console of a local stack: a page on 127.0.0.1 that shows the pipeline at work. It is never deployed."""
