"""What can be asked of a trial, and what is refused whatever the data: the schema, the knobs, allowed values."""
