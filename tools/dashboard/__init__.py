"""The dashboard of template.yaml: made of one list, together with the alarms, and drawn of a local stack's log."""
