"""The whole pipeline on this machine: template.yaml in a local AWS, with a fake Belvo beside it."""
