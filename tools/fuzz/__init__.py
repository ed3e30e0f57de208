"""Attacks the API of a local stack with what docs/openapi.json allows, and with what it forbids."""
