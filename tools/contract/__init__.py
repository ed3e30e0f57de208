"""Compares Belvo's answers with its OpenAPI document and with those of the fake Belvo."""
