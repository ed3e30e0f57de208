"""`make demo`: two links through the whole pipeline, and what is stored compared with what Belvo has."""
