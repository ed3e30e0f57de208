"""A headless Chromium that uses the console as a person does: its tests, and the screenshots."""
