"""What leaves a trial and a study: states, reasons, measurements, records, fronts."""
