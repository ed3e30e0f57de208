"""Wrong lines, planted one at a time, and how soon the simulation finds each."""
