"""What a person sees of a data set on the page of ``terrasweep check --html``. Imports no torch."""
